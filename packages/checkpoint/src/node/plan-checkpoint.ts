import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { hashFile } from "@weft/io-safetensors/node";
import { CancelledError, CapabilityError } from "@weft/tensor-core";
import type { OutputPlan } from "../plan/layout.js";
import { filesRead } from "../plan/units.js";
import { checkOutput } from "./check-output.js";
import { type MergeJobOptions, mergeInput } from "./merge-options.js";
import { type CheckpointPlan, type PlannedInput, type Unit, writePlan } from "./plan-file.js";
import { requantizedJobs } from "./quantize/requantized.js";
import { prepareMerge, type PreparedMerge } from "./prepare.js";

/** What is merged, how, and where the plan goes. */
export interface PlanOptions extends Omit<MergeJobOptions, "jobs" | "maxMemory"> {
  /** File to write the plan to. */
  readonly out: string;
  readonly force?: boolean | undefined;
  /** Write NaN and infinite values instead of stopping. */
  readonly allowNonFinite?: boolean | undefined;
  /** Is told what will be done. */
  readonly onPlan?: ((plan: PreparedMerge) => void) | undefined;
}

/**
 * Plans a merge for several processes or machines, and writes the plan: the files of the output as units, and the SHA-256 of all inputs. Each unit is
 * computed by `runPlan`; `finishPlan` makes a checkpoint of them.
 * @throws as `mergeCheckpoint`
 */
export async function planCheckpoint(options: PlanOptions): Promise<CheckpointPlan> {
  const { out, methods, methodFiles = [], signal, onProgress } = options;
  const input = mergeInput("merge", options);
  checkOutput(out, [input.base, ...input.adapters.map(({ path }) => path)], options.force ?? false);
  const prepared = await prepareMerge(input, { methods, methodFiles }, signal);
  try {
    options.onPlan?.(prepared);
    const stored = requantizedJobs(prepared)[0];
    if (stored)
      throw new CapabilityError(
        `${stored.name}: the base holds this weight quantised, and what storing it anew loses is found over all weights`,
        {
          kind: "quantized-base",
          tensor: stored.name,
          file: input.base,
          hint: "merge it in one process: weft merge",
        },
      );
    const total = prepared.inputs.reduce((sum, file) => sum + statSync(file).size, 0);
    const inputs: PlannedInput[] = [];
    let done = 0;
    for (const path of prepared.inputs) {
      if (signal?.aborted) throw new CancelledError("stopped");
      const bytes = statSync(path).size;
      inputs.push({ path, bytes, sha256: await hashFile(path) });
      done += bytes;
      onProgress?.({ phase: "hash", done, total, item: path });
    }
    const plan = { input, methodFiles, allowNonFinite: options.allowNonFinite ?? false, inputs, units: unitsOf(prepared.output, inputs) };
    await writePlan(out, plan);
    return plan;
  } finally {
    await prepared.close();
  }
}

/** The units of an output, as they are in a plan. */
export function unitsOf(output: OutputPlan, inputs: readonly PlannedInput[]): Unit[] {
  const indexOf = new Map(inputs.map(({ path }, i) => [resolve(path), i]));
  return output.shards.map(({ file, layout }, shard) => ({
    file,
    bytes: layout.size,
    header: createHash("sha256").update(layout.header).digest("hex"),
    reads: [...filesRead(output, shard)].map((path) => indexOf.get(resolve(path))!).sort((a, b) => a - b),
  }));
}
