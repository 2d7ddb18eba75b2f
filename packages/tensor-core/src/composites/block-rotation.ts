import { callComposite, type Composite } from "../composite.js";
import { ConfigError, ShapeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { linear, matmul } from "../ops/linear.js";
import { reshape, swapLast, transpose } from "../ops/movement.js";

/**
 * `blockRotate`: y = x · blockdiag(R₀, …, Rₙ₋₁), y[.., k·b + j] = Σᵢ x[.., k·b + i] · R[k, i, j]. A weight W [out, in] is turned to
 * W·blockdiag(R)ᵀ by the transposed blocks.
 *
 * Inputs x [.., n·b], R [n, b, b], or [1, b, b] if all blocks are the same; result [.., n·b] in the promoted dtype.
 * @see Qiu et al. 2023 (OFT), eq. 5; peft `tuners/oft/layer.py` OFTRotationModule.forward
 */
const BLOCK_ROTATE: Composite = {
  name: "blockRotate",
  decompose: ([x, rotation]) => {
    const [n, b] = rotation!.shape as [number, number];
    if (n === 1) return [reshape(linear(reshape(x!, [-1, b]), swapLast(reshape(rotation!, [b, b]))), x!.shape)];
    const blocks = transpose(reshape(x!, [-1, n, b]), [1, 0, 2]);
    return [reshape(transpose(matmul(blocks, rotation!), [1, 0, 2]), x!.shape)];
  },
};

/** @see BLOCK_ROTATE @throws ShapeError if the blocks are not square or do not fill the last axis of x */
export function blockRotate(x: Tensor, rotation: Tensor): Tensor {
  const [n, b, columns] = rotation.shape;
  const width = x.shape.at(-1)!;
  const fits = rotation.shape.length === 3 && b === columns && (n === 1 ? width % b! === 0 : width === n! * b!);
  if (!fits)
    throw new ShapeError(`blockRotate: expected x [.., n·b] and blocks [n, b, b] or [1, b, b], got [${x.shape}] and [${rotation.shape}]`);
  return callComposite(BLOCK_ROTATE, [x, rotation])[0]!;
}

/** Which factor of a butterfly rotation (BOFT) is applied. */
export interface ButterflyOptions {
  /** Size b of the blocks that are rotated between the permutations; even. */
  readonly blockSize: number;
  /** Number i of the factor: chunks of b·2ⁱ elements are mixed. */
  readonly stage: number;
  /** x·P, which undoes x·Pᵀ. */
  readonly inverse?: boolean;
}

/**
 * BOFT's butterfly permutation of the last axis: x·Pᵢᵀ, or x·Pᵢ with `inverse`. Chunks of b·2ⁱ are cut into pieces of b/2; the even
 * pieces go first, then the odd ones, so that x·Pᵢᵀ [row] = x[idx[row]]. Factor i of BOFT is Pᵢ · blockdiag · Pᵢᵀ.
 * @throws ConfigError if b is odd or the axis is not made of such chunks
 * @see Liu et al. 2024 (BOFT), section 4; peft `tuners/boft/layer.py` block_butterfly_perm
 */
export function butterfly(x: Tensor, { blockSize, stage, inverse = false }: ButterflyOptions): Tensor {
  const pairs = 2 ** stage;
  const width = x.shape.at(-1)!;
  if (blockSize % 2 !== 0 || width % (blockSize * pairs) !== 0) {
    throw new ConfigError(`butterfly: ${width} elements are not made of chunks of ${blockSize}·2^${stage} with an even block size`, {
      hint: "choose a block size and number of factors with in % (b·2^(m-1)) = 0",
    });
  }
  const half = blockSize / 2;
  // Rows keep an axis of their own, so that a slice of them computes those rows alone.
  const outer = [x.size / width, width / (blockSize * pairs)];
  const pieces = inverse ? [...outer, 2, pairs, half] : [...outer, pairs, 2, half];
  return reshape(transpose(reshape(x, pieces), [0, 1, 3, 2, 4]), x.shape);
}
