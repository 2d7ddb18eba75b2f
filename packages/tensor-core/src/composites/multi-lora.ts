import { callComposite, type Composite } from "../composite.js";
import { ShapeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { iota, tensor } from "../ops/create.js";
import { add, greaterEqual, less, logicalAnd, mul, where } from "../ops/elementwise.js";
import { cast } from "../ops/cast.js";
import { gather, matmul } from "../ops/linear.js";
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

/**
 * `multiLora`: low-rank updates of a mixed batch, yᵢ = s_k·(xᵢ·A_kᵀ)·B_kᵀ with k = index[i], and 0 where index[i] is -1 (or no adapter, which is an IndexError on a device that checks indices). To be added
 * to the output of the base layer. The index is data: other mixtures replay the same plan. A row depends on its own adapter alone, whatever values
 * others have.
 *
 * Inputs x [rows, .., in], index [rows] i32, a [Σr, in], b [Σr, out], scales [K], starts [K + 1] i32; attribute `rank`, the largest;
 * result [rows, .., out] in the dtype of a·b.
 *
 * The decomposition copies the factors of each row's adapter, filled up to the largest rank: what a kernel saves.
 * @see Sheng et al. 2023 (S-LoRA); Chen et al. 2023 (Punica); peft `tuners/lora/layer.py` _mixed_batch_forward
 */
const MULTI_LORA: Composite = {
  name: "multiLora",
  indices: ([, , , , scales]) => [{ input: 1, name: "index", least: 0, most: scales!.shape[0]! - 1, besides: -1 }],
  decompose: ([x, index, a, b, scales, starts], attrs) => {
    const rank = attrs.rank as number;
    const [count, tokens, width] = [x!.shape[0]!, sizeOf(x!.shape.slice(1, -1)), x!.shape.at(-1)!];
    const known = logicalAnd(greaterEqual(index!, 0), less(index!, scales!.shape[0]!));
    const adapter = where(known, index!, 0);
    const perRow = (t: Tensor): Tensor => reshape(t, [-1, 1, 1]);
    const start = gather(starts!, adapter);
    const end = where(known, gather(starts!, add(adapter, 1)), start);
    const at = add(perRow(start), iota([1, 1, rank], 2));
    // Places behind the adapter's rank read any row, which is set to 0: zeros on one side alone would make NaN of infinities on the other.
    const own = less(at, perRow(end));
    const pick = reshape(where(own, at, 0), [count, rank]);
    const low = matmul(reshape(cast(x!, a!.dtype), [count, tokens, width]), swapLast(gather(a!, pick)));
    const scaled = where(own, mul(low, cast(perRow(gather(scales!, adapter)), a!.dtype)), 0);
    const y = matmul(scaled, where(swapLast(own), gather(b!, pick), 0));
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
