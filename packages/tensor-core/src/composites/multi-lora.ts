import { callComposite, type Composite } from "../composite.js";
import { ShapeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { iota, tensor } from "../ops/create.js";
import { add, equal, greaterEqual, less, logicalAnd, maximum, minimum, mul, where } from "../ops/elementwise.js";
import { cast } from "../ops/cast.js";
import { gather, linear, matmul } from "../ops/linear.js";
import { concat, reshape, swapLast } from "../ops/movement.js";
import { sizeOf } from "../shape.js";

/** Low-rank adapters of one layer side by side, of any ranks: the ranks of adapter k are rows `ranks[0] + … + ranks[k-1]` and on. */
export interface LoraBank {
  /** A of all adapters below one another, [Σr, in]. */
  readonly a: Tensor;
  /** Bᵀ of all adapters below one another, [Σr, out]. */
  readonly b: Tensor;
  /** One scale per adapter, [K] f32. */
  readonly scales: Tensor;
  readonly ranks: readonly number[];
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
  return { a: concat(As), b: concat(Bs.map(swapLast)), scales: tensor(Float32Array.from(scales)), ranks };
}

const constant = (values: readonly number[]): Tensor => tensor(Int32Array.from(values));

/** Element-moves that a multiply-add costs as much as, when a factor is copied per row: below this all adapters are cheaper. */
const COPY = 20;

/** x·A_kᵀ·B_k for all adapters at once, with all ranks but those of the row's own adapter set to 0 in between. */
function throughAll(x: Tensor, index: Tensor, scale: Tensor, bank: Omit<LoraBank, "scales">): Tensor {
  const own = equal(reshape(index, [-1, 1, 1]), reshape(constant(bank.ranks.flatMap((r, k) => Array<number>(r).fill(k))), [1, 1, -1]));
  return matmul(where(own, mul(linear(x, bank.a), scale), 0), bank.b);
}

/** The factors of each row's adapter copied side by side, filled up to the largest rank, and one product per row. */
function throughOwn(x: Tensor, index: Tensor, scale: Tensor, bank: Omit<LoraBank, "scales">): Tensor {
  const { ranks } = bank;
  const largest = Math.max(...ranks);
  const starts = ranks.map((_, k) => ranks.slice(0, k).reduce((a, b) => a + b, 0));
  const known = maximum(index, 0);
  const [rank, start] = [gather(constant(ranks), known), gather(constant(starts), known)];
  const column = (t: Tensor): Tensor => reshape(t, [-1, 1]);
  const at = iota([x.shape[0]!, largest], 1);
  // Places behind the adapter's rank read its first row again and are set to 0 in between.
  const used = logicalAnd(less(at, column(rank)), greaterEqual(column(index), 0));
  const pick = minimum(add(column(start), where(used, at, 0)), bank.a.shape[0]! - 1);
  const low = mul(matmul(x, swapLast(gather(bank.a, pick))), scale);
  return matmul(where(reshape(used, [-1, 1, largest]), low, 0), gather(bank.b, pick));
}

/**
 * `multiLora`: low-rank updates of a mixed batch, yᵢ = s_k·(xᵢ·A_kᵀ)·B_kᵀ with k = index[i], and 0 where index[i] is -1. To be added to the
 * output of the base layer. The index is data: other mixtures replay the same plan.
 *
 * Inputs x [rows, .., in], index [rows] i32, a [Σr, in], b [Σr, out], scales [K]; attribute `ranks` (K numbers); result [rows, .., out]
 * in the dtype of a·b. Values must be finite: 0·Infinity of one adapter would reach the rows of others.
 * @see Sheng et al. 2023 (S-LoRA); Chen et al. 2023 (Punica); peft `tuners/lora/layer.py` _mixed_batch_forward
 */
const MULTI_LORA: Composite = {
  name: "multiLora",
  decompose: ([x, index, a, b, scales], attrs) => {
    const ranks = attrs.ranks as readonly number[];
    const [count, tokens] = [x!.shape[0]!, sizeOf(x!.shape.slice(1, -1))];
    const rows = reshape(cast(x!, a!.dtype), [count, tokens, x!.shape.at(-1)!]);
    const scale = cast(reshape(gather(scales!, maximum(index!, 0)), [-1, 1, 1]), a!.dtype);
    const through = tokens * a!.shape[0]! <= Math.max(...ranks) * (tokens + COPY) ? throughAll : throughOwn;
    return [reshape(through(rows, index!, scale, { a: a!, b: b!, ranks }), [...x!.shape.slice(0, -1), b!.shape[1]!])];
  },
};

/** @see MULTI_LORA @throws ShapeError if x, index and the bank do not fit */
export function multiLora(x: Tensor, index: Tensor, bank: LoraBank): Tensor {
  const { a, b, scales, ranks } = bank;
  const total = ranks.reduce((p, q) => p + q, 0);
  const fits = x.shape.length >= 2 && index.shape.length === 1 && index.shape[0] === x.shape[0] && x.shape.at(-1) === a.shape[1];
  if (!fits)
    throw new ShapeError(
      `multiLora: expected x [rows, .., in], index [rows] and A [Σr, in], got [${x.shape}], [${index.shape}] and [${a.shape}]`,
    );
  if (a.shape[0] !== total || b.shape[0] !== total || scales.shape[0] !== ranks.length)
    throw new ShapeError(
      `multiLora: ranks [${ranks}] add up to ${total}, but A is [${a.shape}], B [${b.shape}] and scales [${scales.shape}]`,
    );
  return callComposite(MULTI_LORA, [x, index, a, b, scales], { ranks })[0]!;
}
