import {
  type AdapterContext,
  add,
  type BaseLayer,
  biasLike,
  blockRotate,
  CapabilityError,
  cayley,
  div,
  forwardBase,
  isConv,
  type LayerSpec,
  minimum,
  mul,
  reshape,
  sub,
  swapLast,
  type Tensor,
  transpose,
} from "@weft/tensor-core";
import type { LycorisConfig } from "../config.js";
import { safeNorm } from "./dora.js";

/** What the two orthogonal methods have in their configs. */
export interface OftConfig extends LycorisConfig {
  /** Wished number for the factorisation (diag-OFT) or largest block (BOFT): LyCORIS' `dim`. */
  readonly r: number;
  /** The norm of all Q together stays at most alpha·out; 0 or null: any norm. LyCORIS' option is called `constraint`, its files say `alpha`. */
  readonly alpha: number | null;
  /** A trained factor per row. */
  readonly rescaled: boolean;
}

/** Turns the last axis, whose length is that of the layer's output. */
export type Turn = (t: Tensor) => Tensor;

/** R = (I + Q)(I - Q)⁻¹ of each block, Q = B - Bᵀ scaled down to the constraint. blocks [n, b, b] (or [m, n, b, b], as one list). */
export function rotations(blocks: Tensor, out: number, alpha: number | null): Tensor {
  const b = blocks.shape.at(-1)!;
  const list = reshape(blocks, [-1, b, b]);
  const q = sub(swapLast(list), list);
  if (!alpha || alpha < 0) return cayley(q);
  const size = add(safeNorm(q), 1e-8);
  return cayley(mul(q, div(minimum(size, alpha * out), size)));
}

/** c·(t turned by R) + (1 - c)·t: blocks R [n, b, b] on the last axis, y[k·b + j] = Σᵢ t[k·b + i]·R[k, i, j], faded by the strength c. */
export function turnBlocks(t: Tensor, rotation: Tensor, strength: number): Tensor {
  const turned = blockRotate(t, rotation);
  return strength === 1 ? turned : add(mul(turned, strength), mul(t, 1 - strength));
}

/** A trained factor per output feature follows; it is not faded by the strength. */
export function rescaled(turn: Turn, rescale: Tensor | undefined): Turn {
  return rescale ? (t) => mul(turn(t), reshape(rescale, [-1])) : turn;
}

/** W' with the rows of W turned. @param chunk rows that are mixed with each other @throws CapabilityError if those lie in several groups */
export function turnWeight(weight: Tensor, turn: Turn, { layer }: Pick<AdapterContext<unknown>, "layer">, chunk: number): Tensor {
  const out = layer.shape[0]!;
  const groups = layer.conv?.groups ?? 1;
  if ((out / groups) % chunk !== 0)
    throw new CapabilityError(`a rotation of ${chunk} outputs crosses the ${groups} groups of the convolution: no weight does that`, {
      hint: "keep the adapter unmerged",
    });
  return reshape(swapLast(turn(swapLast(reshape(weight, [out, -1])))), layer.shape);
}

/** The layer's result turned, its bias left alone: what turning the rows of W does, at the cost of the outputs instead of W. */
export function turnOutput(x: Tensor, base: BaseLayer, turn: Turn, layer: LayerSpec): Tensor {
  const y = forwardBase(layer, base, x);
  const bias = base.bias && biasLike(layer, base.bias);
  const plain = bias ? sub(y, bias) : y;
  const turned = isConv(layer) ? transpose(turn(transpose(plain, LAST[y.shape.length])), BACK[y.shape.length]) : turn(plain);
  return bias ? add(turned, bias) : turned;
}

/** Channels (axis 1) to the last axis and back, by rank. */
const LAST: { readonly [rank: number]: readonly number[] } = { 3: [0, 2, 1], 4: [0, 2, 3, 1], 5: [0, 2, 3, 4, 1] };
const BACK: { readonly [rank: number]: readonly number[] } = { 3: [0, 2, 1], 4: [0, 3, 1, 2], 5: [0, 4, 1, 2, 3] };
