import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import type { WeightSource } from "@weft/io-safetensors";
import { ConfigError, type MethodTable } from "@weft/tensor-core";
import { type MergePlan, type MergeSettings, planMerge } from "../plan/plan-merge.js";
import type { OutputPlan } from "../plan/layout.js";
import type { ScaledAdapter, ScaledPath } from "../source/scaled-adapter.js";
import { FileSet } from "./file-set.js";
import { ValueReader } from "./quantize/value-reader.js";
import { openAdapters } from "./open-adapters.js";
import { planGgufMerge } from "../quantize/plan-gguf-merge.js";
import { openMergeBase } from "./open-merge-base.js";
import { localPath, openOwnAdapter } from "./open-input.js";
import { filesOf } from "./save-modules.js";
import { unmergedPeft } from "../source/peft-state.js";
import { folderOf, type SideFile } from "./side-files.js";

/** What is merged, and how. */
export interface MergeInput extends MergeSettings {
  readonly base: string;
  /** In order. */
  readonly adapters: readonly ScaledPath[];
  /** Of adapters whose files do not say it; one of them at least. */
  readonly alpha: number | undefined;
  /** Which adapter is meant, of files that hold several. */
  readonly adapterName: string | undefined;
}

/** What computes a merge. */
export interface MergeMethods {
  /** The methods that adapters may be of. */
  readonly methods: MethodTable;
  /** Modules that define some of them: the output depends on what these files hold. */
  readonly methodFiles?: readonly string[] | undefined;
}

/** A planned merge with its files open. */
export interface PreparedMerge extends MergePlan {
  readonly methods: MethodTable;
  /** The output is a GGUF file, as the base is. */
  readonly gguf: boolean;
  /** Files that go beside the weights. */
  readonly side: readonly SideFile[];
  /** Files that are read. */
  readonly inputs: readonly string[];
  /** Identifies inputs and settings. */
  readonly job: string;
  close(): Promise<void>;
}

/** Opens and matches everything and plans the output; reads headers only. @throws errors of `planMerge`; ConfigError kind `missing-adapter` */
export async function prepareMerge(
  input: MergeInput,
  { methods, methodFiles = [] }: MergeMethods,
  signal?: AbortSignal,
): Promise<PreparedMerge> {
  const opened: WeightSource[] = [];
  const files = new FileSet();
  let reader: ValueReader | undefined;
  const close = async (): Promise<void> => void (await Promise.all(opened.map((source) => source.close())));
  try {
    const base = await openMergeBase(input.base, files);
    const { checkpoint, state, model, values, gguf } = base;
    opened.push(checkpoint);
    const adapters: ScaledAdapter[] = [];
    if (state?.adapter && (input.adapters.length > 0 || input.operation === "convert")) throw unmergedPeft(input.base, state);
    if (state?.adapter) {
      const adapter = await openOwnAdapter(localPath(input.base), state, methods, input.alpha);
      adapters.push({ path: input.base, adapter, scale: 1 });
    } else if (input.adapters.length === 0 && input.operation !== "convert")
      throw new ConfigError(`${input.base}: which adapter is to be merged?`, {
        kind: "missing-adapter",
        file: input.base,
        hint: "name it: -a ADAPTER",
      });
    for (const named of await openAdapters(input.adapters, methods, input)) {
      opened.push(named.adapter.weights);
      adapters.push(named);
    }
    reader = new ValueReader(files, values?.values ?? new Map());
    const planOutput = gguf && ((changes: Parameters<typeof planGgufMerge>[2]): OutputPlan => planGgufMerge(gguf, values!, changes));
    const plan = await planMerge(checkpoint, adapters, input, { model, files: reader, signal, values, planOutput });
    const inputs = [...new Set([...methodFiles, ...base.files, ...filesOf(adapters.map(({ adapter }) => adapter.weights))])];
    return {
      ...plan,
      methods,
      gguf: gguf !== undefined && input.dtype === undefined,
      side: base.side(plan.edit, plan.resizedBy && folderOf(plan.resizedBy.adapter.weights.location)),
      inputs,
      job: jobHash(input, plan.output, inputs),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  } finally {
    await reader?.close();
    await files.close();
  }
}

/** Of inputs, settings and layout; no path of the output, no time of the run. */
function jobHash(input: MergeInput, output: OutputPlan, inputs: readonly string[]): string {
  const files = inputs.map((file) => {
    const { size, mtimeMs } = statSync(file);
    return [file, size, mtimeMs];
  });
  const hash = createHash("sha256").update(JSON.stringify([2, input, files]));
  for (const { file, layout } of output.shards) hash.update(file).update(layout.header);
  return hash.digest("hex");
}
