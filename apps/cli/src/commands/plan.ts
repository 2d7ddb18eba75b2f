import { formatBytes } from "@weft/checkpoint/format";
import { planCheckpoint } from "@weft/checkpoint/node";
import { type Command, EXIT } from "../context.js";
import { showProgress } from "../progress.js";
import { mergeJobOptions, type MergeJobCommandOptions } from "./merge.js";

export interface PlanCommandOptions extends Omit<MergeJobCommandOptions, "maxMemory"> {
  readonly out: string;
  readonly allowNonfinite?: boolean;
}

/** `weft plan BASE -a ADAPTER[:scale] … -o PLAN`: a merge as units that several machines share. */
export const plan: Command<PlanCommandOptions> = async ([base], options, context) => {
  const { out, options: global } = context;
  const { onProgress, end } = showProgress(out);
  const { units, inputs } = await planCheckpoint({
    ...(await mergeJobOptions(base, options, context)),
    out: options.out,
    force: global.force,
    allowNonFinite: options.allowNonfinite ?? false,
    onProgress,
    onPlan({ notices }) {
      for (const notice of notices) out.warn(notice);
    },
  }).finally(end);
  const bytes = units.reduce((sum, unit) => sum + unit.bytes, 0);
  out.result({ out: options.out, units: units.length, bytes, inputs: inputs.length }, () =>
    [
      `✓ ${options.out}  ${units.length} ${units.length === 1 ? "unit" : "units"}, ${formatBytes(bytes)}`,
      `weft run ${options.out} --index I --of N -o OUT computes a share of them, weft run ${options.out} --finish -o OUT makes a checkpoint of all`,
    ].join("\n"),
  );
  return EXIT.done;
};
