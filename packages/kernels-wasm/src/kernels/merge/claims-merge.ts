import type { CompositeCall } from "@weft/tensor-core";
import { formatCode } from "../../lower/context.js";

/** The composite `mergeLowRank` has a kernel where everything is stored as f32, bf16 or f16. */
export function claimsMerge({ attrs, inputs }: CompositeCall): boolean {
  const dtypes = [...inputs.map((i) => i.dtype), attrs.dtype, attrs.deltaDtype] as const;
  return dtypes.every((d) => formatCode(d as never) !== undefined) && inputs[0]!.shape.length === 2;
}
