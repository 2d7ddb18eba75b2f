/** `error`: the adapter does not work, or not as it looks; `warning`: something is wasted or a trap; `note`: good to know. */
export type Severity = "error" | "warning" | "note";

/** Codes of findings; they stay the same, so that scripts may rely on them. */
export type LintCode =
  | "non-finite"
  | "inert"
  | "dead-rank"
  | "oversized-rank"
  | "wrong-base"
  | "quantized-base"
  | "not-mergeable"
  | "unused-tensors"
  | "dotted-dora-keys"
  | "stale-hash"
  | "target-string"
  | "changed-base"
  | "trained-bias"
  | "rslora-combined"
  | "lokr-whole-scale"
  | "lycoris-cannot-load"
  | "no-alpha"
  | "opened-with-warning";

/** Something about an adapter that its user should know, and what to do about it. */
export interface Finding {
  readonly code: LintCode;
  readonly severity: Severity;
  readonly message: string;
  readonly proposal: string;
  /** Modules or tensors that it is about. */
  readonly where: readonly string[];
}
