import {
  add,
  cast,
  cayley,
  cayleyNeumann,
  div,
  gather,
  lessEqual,
  mul,
  norm,
  pad,
  stopGradient,
  sub,
  tensor,
  type Tensor,
  where,
} from "@weft/tensor-core";
import { blockSizeOf } from "./block-size.js";
import type { OFTConfigFields } from "./config.js";

/**
 * Skew-symmetric blocks Q [n, b, b] from the entries above their diagonals, row by row: v [n, b·(b-1)/2], Q[i, j] = v and Q[j, i] = -v
 * for i < j.
 */
function skew(v: Tensor): Tensor {
  const entries = v.shape[1]!;
  const b = blockSizeOf(entries);
  const index = new Int32Array(b * b).fill(entries);
  const signs = new Float32Array(b * b);
  for (let i = 0, at = 0; i < b; i++)
    for (let j = i + 1; j < b; j++, at++) {
      index[i * b + j] = index[j * b + i] = at;
      signs[i * b + j] = 1;
      signs[j * b + i] = -1;
    }
  // The diagonal reads a zero behind the entries.
  const padded = pad(v, [0, 0], [0, 1]);
  return mul(gather(padded, tensor(index, { shape: [b, b] }), 1), tensor(signs, { shape: [b, b] }));
}

/**
 * Constrained OFT: entries whose block has ‖Q‖_F > eps/√n, scaled to that norm. PEFT overwrites the parameter in each forward, outside of
 * the graph; so the gradient goes to the parameter as if nothing had been scaled.
 */
function project(v: Tensor, eps: number): Tensor {
  const limit = eps / Math.sqrt(v.shape[0]!);
  const size = mul(norm(v, { axes: [1], keepDims: true }), Math.SQRT2);
  const projected = where(lessEqual(size, limit), v, mul(div(v, size), limit));
  return add(stopGradient(projected), sub(v, stopGradient(v)));
}

/**
 * The rotation R [n, b, b] of each block (x·R blockwise), in the parameter's dtype: exactly (I - Q)(I + Q)⁻¹, or PEFT's truncated series
 * for the transpose of that.
 * @param v the parameter `oft_R` [n, b·(b-1)/2]; n = 1 for shared blocks
 * @see peft `tuners/oft/layer.py` OFTRotationModule
 */
export function rotationBlocks(v: Tensor, config: OFTConfigFields): Tensor {
  const wide = cast(v, "f32");
  const Q = skew(config.coft ? project(wide, config.eps) : wide);
  return cast(config.useCayleyNeumann ? cayleyNeumann(Q, config.numCayleyNeumannTerms) : cayley(Q), v.dtype);
}
