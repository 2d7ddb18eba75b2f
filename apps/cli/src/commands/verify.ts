import { verifyCheckpoint } from "@weft/checkpoint/node";
import { type Command, EXIT } from "../context.js";
import { printable } from "../output.js";
import { showProgress } from "../progress.js";
import { mergeJobOptions, type MergeJobCommandOptions } from "./merge.js";

export interface VerifyCommandOptions extends Omit<MergeJobCommandOptions, "maxShardSize"> {
  readonly base: string;
}

/** Lines of differences for people; --json lists all. */
const SHOWN = 20;

/** `weft verify MERGED --base BASE -a ADAPTER …`: merges again in memory and compares bit for bit. Exit code 4 if anything differs. */
export const verify: Command<VerifyCommandOptions> = async ([merged], options, context) => {
  const { onProgress, end } = showProgress(context.out);
  const job = await mergeJobOptions(options.base, options, context);
  const { tensors, different } = await verifyCheckpoint({ ...job, merged, onProgress }).finally(end);
  const equal = different.length === 0;
  context.out.result({ equal, tensors, different }, () =>
    equal
      ? `✓ all ${tensors} tensors are what merging gives, bit for bit`
      : [
          ...different.slice(0, SHOWN).map(({ name, what }) => `${printable(name)} ${what}`),
          `${different.length} of ${tensors} tensors differ`,
        ].join("\n"),
  );
  return equal ? EXIT.done : EXIT.unlike;
};
