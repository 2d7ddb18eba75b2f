import { callComposite, type Composite } from "../composite.js";
import { ShapeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { iota, tensor } from "../ops/create.js";
import { add, less, lessEqual, logicalAnd, maximum, minimum, mul, where } from "../ops/elementwise.js";
import { cast } from "../ops/cast.js";
import { gather, linear, matmul } from "../ops/linear.js";
import { concat, reshape, swapLast } from "../ops/movement.js";
import { sizeOf } from "../shape.js";

/** Low-rank adapters of one layer below one another, of any ranks. All of it is data: adapters can be exchanged without a new plan. */
export interface LoraBank {
  /** A of all adapters, [Σr, in]. */
  readonly a: Tensor;
  /** Bᵀ of all adapters, [Σr, out]. */
  readonly b: Tensor;
  /** One scale per adapter, [K] f32. */
  readonly scales: Tensor;
  /** First row of each adapter, and Σr, [K + 1] i32. */
  readonly starts: Tensor;
  /** A rank that none exceeds. */
  readonly rank: number;
}

/**
 * Puts the factors of adapters together for `multiLora`; do it once, not per call.
 * @param As [r_k, in] each
 * @param Bs [out, r_k] each
 * @throws ShapeError if the lists differ in length or a rank does not fit
 */
export function loraBank(As: readonly Tensor[], Bs: readonly Tensor[], scales: readonly number[]): LoraBank {
  if (As.length === 0 || As.length !== Bs.length || As.length !== scales.length)
    throw new ShapeError(
      `loraBank: ${As.length} factors A, ${Bs.length} factors B and ${scales.length} scales; expected equal numbers, at least 1`,
    );
  As.forEach((a, k) => {
    if (a.shape[0] !== Bs[k]!.shape[1])
      throw new ShapeError(`loraBank: A [${a.shape}] and B [${Bs[k]!.shape}] of adapter ${k} have different ranks`);
  });
  const ranks = As.map((a) => a.shape[0]!);
  const starts = [0];
  for (const r of ranks) starts.push(starts.at(-1)! + r);
  return {
    a: concat(As),
    b: concat(Bs.map(swapLast)),
    scales: tensor(Float32Array.from(scales)),
    starts: tensor(Int32Array.from(starts)),
    rank: Math.max(...ranks),
  };
}

/** Multiply-adds that take as long as copying an element does. */
const COPY = 20;

interface Mixed {
  /** [rows, tokens, in] */
  readonly x: Tensor;
  readonly a: Tensor;
  readonly b: Tensor;
  /** Per row [rows, 1, 1]: first rank of its adapter, the one behind its last (equal without an adapter), scale. */
  readonly start: Tensor;
  readonly end: Tensor;
  readonly scale: Tensor;
}

/** x·A_kᵀ·B_k for all adapters at once, with all ranks but those of the row's own adapter set to 0 in between. */
function throughAll({ x, a, b, start, end, scale }: Mixed): Tensor {
  const at = iota([1, 1, a.shape[0]!], 2);
  const own = logicalAnd(lessEqual(start, at), less(at, end));
  return matmul(where(own, mul(linear(x, a), scale), 0), b);
}

/** The factors of each row's adapter copied side by side, filled up to the largest rank, and one product per row. */
function throughOwn({ x, a, b, start, end, scale }: Mixed, rank: number): Tensor {
  const at = add(start, iota([1, 1, rank], 2));
  const own = less(at, end);
  // Places behind the adapter's rank read its first row again and are set to 0 in between.
  const pick = reshape(minimum(where(own, at, start), a.shape[0]! - 1), [x.shape[0]!, rank]);
  return matmul(where(own, mul(matmul(x, swapLast(gather(a, pick))), scale), 0), gather(b, pick));
}

/**
 * `multiLora`: low-rank updates of a mixed batch, yᵢ = s_k·(xᵢ·A_kᵀ)·B_kᵀ with k = index[i], and 0 where index[i] is -1. To be added to the
 * output of the base layer. The index is data: other mixtures replay the same plan.
 *
 * Inputs x [rows, .., in], index [rows] i32, a [Σr, in], b [Σr, out], scales [K], starts [K + 1] i32; attribute `rank`, the largest;
 * result [rows, .., out] in the dtype of a·b. Values must be finite: 0·Infinity of one adapter would reach the rows of others.
 * @see Sheng et al. 2023 (S-LoRA); Chen et al. 2023 (Punica); peft `tuners/lora/layer.py` _mixed_batch_forward
 */
const MULTI_LORA: Composite = {
  name: "multiLora",
  decompose: ([x, index, a, b, scales, starts], attrs) => {
    const rank = attrs.rank as number;
    const [count, tokens] = [x!.shape[0]!, sizeOf(x!.shape.slice(1, -1))];
    const known = maximum(index!, 0);
    const perRow = (t: Tensor): Tensor => reshape(t, [-1, 1, 1]);
    const start = gather(starts!, known);
    const mixed = {
      x: reshape(cast(x!, a!.dtype), [count, tokens, x!.shape.at(-1)!]),
      a: a!,
      b: b!,
      start: perRow(start),
      end: perRow(where(less(index!, 0), start, gather(starts!, add(known, 1)))),
      scale: cast(perRow(gather(scales!, known)), a!.dtype),
    };
    const y = tokens * a!.shape[0]! <= rank * (tokens + COPY) ? throughAll(mixed) : throughOwn(mixed, rank);
    return [reshape(y, [...x!.shape.slice(0, -1), b!.shape[1]!])];
  },
};

/** @see MULTI_LORA @throws ShapeError if x, index and the bank do not fit */
export function multiLora(x: Tensor, index: Tensor, bank: LoraBank): Tensor {
  const { a, b, scales, starts, rank } = bank;
  const rows = x.shape.length >= 2 && index.shape.length === 1 && index.shape[0] === x.shape[0] && x.shape.at(-1) === a.shape[1];
  if (!rows)
    throw new ShapeError(
      `multiLora: expected x [rows, .., in], index [rows] and A [Σr, in], got [${x.shape}], [${index.shape}] and [${a.shape}]`,
    );
  if (a.shape[0] !== b.shape[0] || starts.shape[0] !== scales.shape[0]! + 1)
    throw new ShapeError(
      `multiLora: A [${a.shape}] and B [${b.shape}] must have equal ranks, starts [${starts.shape}] one more entry than scales [${scales.shape}]`,
    );
  return callComposite(MULTI_LORA, [x, index, a, b, scales, starts], { rank })[0]!;
}
