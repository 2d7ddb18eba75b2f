import type { LaneOp } from "@weft/tensor-core/program";

/** Float sums and products accumulate in f64, everything else in the lanes themselves. */
export function isWide(step: LaneOp): step is "add" | "mul" {
  return step === "add" || step === "mul";
}
