import { type Command } from "../context.js";
import { type MergeOptions, runMerge, settingsOf } from "./merge.js";

/** `weft unmerge MERGED -a ADAPTER[:scale] -o OUT`: W' - Δ. */
export const unmerge: Command<MergeOptions> = ([merged], options, context) =>
  // The last adapter that was added is the first that is taken out.
  runMerge(
    { ...settingsOf(merged, { ...options, adapter: options.adapter.toReversed() }), unmerge: true, untie: false },
    options,
    context,
    "unmerge",
  );
