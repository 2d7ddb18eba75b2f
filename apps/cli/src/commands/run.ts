import { join } from "node:path";
import { formatBytes } from "@weft/checkpoint/format";
import { finishPlan, runPlan } from "@weft/checkpoint/node";
import { type Command, EXIT } from "../context.js";
import { UsageError } from "../failure.js";
import { showProgress } from "../progress.js";

export interface RunCommandOptions {
  readonly out: string;
  readonly index?: number;
  readonly of?: number;
  readonly finish?: boolean;
  readonly maxMemory: number;
  readonly report?: string;
}

/** `weft run PLAN --index I --of N -o OUT`: a share of a plan; `--finish`: the checkpoint, when all shares are done. */
export const run: Command<RunCommandOptions> = async ([plan], options, { out, signal, options: { jobs } }) => {
  const { index, of, finish = false, maxMemory, report } = options;
  const { onProgress, end } = showProgress(out);
  const methods = async (files: readonly string[]) => (await (await import("../methods/load-methods.js")).loadMethods(files)).table;
  const job = { plan, out: options.out, methods, signal, onProgress };
  if (finish) {
    if (index !== undefined || of !== undefined) throw new UsageError("--finish computes no share", "leave --index and --of out");
    const { files } = await finishPlan({ ...job, report });
    out.result({ out: options.out, files }, () =>
      files.map(({ name, bytes }) => `✓ ${join(options.out, name)}  ${formatBytes(bytes)}`).join("\n"),
    );
    return EXIT.done;
  }
  if (index === undefined || of === undefined)
    throw new UsageError("which share is to be computed?", "--index 0 --of 4 is the first of four; --finish ends it");
  if (index >= of) throw new UsageError(`--index ${index}: of ${of} shares the last is ${of - 1}`, "shares are counted from 0");
  if (report !== undefined) throw new UsageError("--report goes with --finish", "a share has no report");
  const { units, resumed, bytes } = await runPlan({ ...job, index, of, jobs, maxMemory }).finally(end);
  out.result({ out: options.out, index, of, units, resumed, bytes }, () =>
    units.length === 0
      ? `share ${index} of ${of} is empty`
      : `✓ share ${index} of ${of}: units ${units[0]} to ${units.at(-1)}, ${formatBytes(bytes)} written${resumed > 0 ? `; ${resumed} of ${units.length} units were done already` : ""}`,
  );
  return EXIT.done;
};
