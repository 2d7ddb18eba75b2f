/** Errors of jobs over checkpoints, and of the command line. Wrong usage of `weft` itself has the kind `usage`. */
export interface JobErrorKinds {
  /** The output is there already. Choose another, or pass `--force` to replace it. */
  exists: "config";
  /** No adapter is named, and the base holds none of its own. Name one. */
  "missing-adapter": "config";
  /** The output is an input, or lies in one. Choose another; inputs are never written to. */
  "output-is-input": "config";
  /** The folder holds an unfinished job with other inputs or options. Choose another, or remove its journal to begin anew. */
  "other-job": "config";
  /** A file that is no plan of this version. Plan again. */
  "bad-plan": "config";
  /** An input is not the file that a merge was planned with. Plan again, or put that file back. */
  "input-changed": "config";
  /** Inputs or version give other files than were planned. Plan again. */
  "plan-changed": "config";
  /** Units of a plan are not done yet. Run the plan for those; the message lists them. */
  unfinished: "config";
  /** The module that `--methods` names does not load, or exports no method. Export a definition, or a table made by `methodTable()`. */
  "bad-methods": "config";
  /** The job needs more memory than `--max-memory` allows; the message says how much. */
  "memory-limit": "capability";
  /** Parameters that no file holds would take too long to compute, with no bound. Load the adapter on a model, and save what `mergeAndUnload` gives. */
  "too-long": "capability";
  /** An adapter stands where a checkpoint is expected. Were the two exchanged? */
  "not-a-checkpoint": "format";
  /** Whole files are needed, and the path is not on this machine. Fetch it first. */
  "not-local": "capability";
  /** A result is NaN or infinite. The adapter or the base holds such values: `weft inspect --stats` finds them. */
  "non-finite": "format";
  /** The base holds a weight in a format that is not read, or not written. Merge into the 16-bit base that was quantised, store 16 bits (`--dtype`), or keep the adapter unmerged. */
  "quantized-base": "capability";
  /** In the base's format most of what an adapter changes is rounded away. Keep the rest as an adapter (`--residual-rank`), store 16 bits (`--dtype`), or allow it (`--allow-loss`). */
  "change-lost": "capability";
  /** A model was saved unmerged, with an adapter in it. Merge that one first. */
  "unmerged-peft": "capability";
  /** What one adapter does depends on what another changes. Merge one of them first, and the other into the result. */
  order: "capability";
  /** Tied weights cannot stay one with this adapter. Keep it unmerged, or pass `--no-untie`. */
  tied: "capability";
  /** The adapter brings another number of tokens than its tied counterpart has. Merge into the base that was resized before training. */
  vocabulary: "capability";
  /** What an adapter replaced is not in the merged checkpoint. Keep the base. */
  "not-unmergeable": "capability";
  /** An adapter whose ranks cannot be lowered. Merge it, and extract the difference. */
  "not-resizable": "capability";
  /** Two checkpoints that are the same: there is nothing to extract. */
  unchanged: "match";
  /** An adapter is for a part that the pipeline has no folder for. The message lists those it has. */
  "no-such-part": "match";
  /** Which part of the pipeline an adapter is for is not in its keys. Name the part's folder as the base. */
  "unknown-part": "match";
  /** An adapter may be for several parts of the pipeline. Name the part's folder as the base. */
  "several-parts": "match";
  /** The server that the adapter is exported for does not load this. `weft merge` takes any method. */
  "unsupported-by-target": "capability";
  /** A format that is not written yet. The hint names one that is. */
  "unwritable-format": "capability";
}
