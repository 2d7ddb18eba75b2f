import { blockRotate, butterfly, cast, cayley, mul, reshape, rows, sub, swapLast, type Tensor } from "@weft/tensor-core";
import type { Rotation } from "../rotate.js";

/**
 * BOFT's rotation M = Bₘ₋₁ ⋯ B₁·B₀ with Bᵢ = Pᵢ · blockdiag(Oᵢ) · Pᵢᵀ and O = cayley((R - Rᵀ)/2) [b, b]; P₀ is the identity.
 * @param R the parameter `boft_R` [m, D, b, b], of which the skew-symmetric part counts
 * @see peft `tuners/boft/layer.py`
 */
export function butterflyRotation(R: Tensor): Rotation {
  const [m, D, b] = R.shape as [number, number, number, number];
  const blocks = reshape(cast(R, "f32"), [m * D, b, b]);
  const O = cayley(mul(sub(blocks, swapLast(blocks)), 0.5));
  const factors = Array.from({ length: m }, (_, stage) => ({ stage, turn: rows(O, stage * D, (stage + 1) * D) }));
  const apply = (x: Tensor, stage: number, turn: Tensor): Tensor => {
    if (stage === 0) return blockRotate(x, turn);
    const permuted = butterfly(x, { blockSize: b, stage, inverse: true });
    return butterfly(blockRotate(permuted, turn), { blockSize: b, stage });
  };
  return {
    input: (x) => factors.reduceRight((y, { stage, turn }) => apply(y, stage, turn), x),
    weight: (w) => factors.reduce((y, { stage, turn }) => apply(y, stage, swapLast(turn)), w),
  };
}
