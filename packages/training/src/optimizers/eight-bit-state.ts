import {
  abs,
  add,
  broadcastTo,
  cast,
  div,
  equal,
  lookup,
  max,
  maximum,
  minimum,
  mul,
  pad,
  reshape,
  slice,
  tensor,
  type Tensor,
  where,
  zeros,
} from "@weft/tensor-core";
import { DYNAMIC_MAP, dynamicCodes, UNSIGNED_DYNAMIC_MAP } from "@weft/quant-nf4-awq";

/** Elements that have one absmax in common. */
const BLOCK = 256;
/** Smaller parameters keep f32 states, as bitsandbytes' `min_8bit_size`. */
const LEAST_ELEMENTS = 4096;

/** Values of the codes of a state, and the code of each step of the grid from -1 to 1 that numbers are rounded to first. */
export interface CodeBook {
  readonly values: Float32Array;
  readonly codes: () => Uint8Array;
}

/** For states of both signs (`qmap1`). */
export const SIGNED: CodeBook = { values: DYNAMIC_MAP, codes: () => dynamicCodes(DYNAMIC_MAP) };
/** For states that are never negative (`qmap2`). */
export const UNSIGNED: CodeBook = { values: UNSIGNED_DYNAMIC_MAP, codes: () => dynamicCodes(UNSIGNED_DYNAMIC_MAP) };

/** A state in eight bits: codes u8 like the parameter, absmax f32 [⌈n / 256⌉]; of small parameters the values themselves, f32. */
export type EightBit = { readonly codes: Tensor; readonly absmax?: Tensor };

/** Before the first step. */
export function eightBitZeros({ shape, size }: Tensor): EightBit {
  if (size < LEAST_ELEMENTS) return { codes: zeros(shape) };
  return { codes: zeros(shape, "u8"), absmax: zeros([Math.ceil(size / BLOCK)]) };
}

/** A row of numbers as rows of blocks, the last one filled up with zeros. */
const inBlocks = (x: Tensor, blocks: number): Tensor => reshape(pad(reshape(x, [x.size]), [0], [blocks * BLOCK - x.size]), [blocks, BLOCK]);
/** The other way. */
const like = (x: Tensor, { shape, size }: Tensor): Tensor => reshape(slice(reshape(x, [x.size]), [[0, size]]), shape);

/** The values of a state, f32. */
export function dequantizeState({ codes, absmax }: EightBit, book: CodeBook): Tensor {
  if (!absmax) return codes;
  const [blocks] = absmax.shape as [number];
  const values = lookup(tensor(book.values), cast(codes, "i32"));
  return like(mul(inBlocks(values, blocks), reshape(absmax, [blocks, 1])), codes);
}

/**
 * A state in eight bits again, with the codes of bitsandbytes' CPU kernel.
 * @param before what it was in the last step
 * @see bitsandbytes `csrc/cpu_ops.cpp` quantize_cpu
 */
export function quantizeState(values: Tensor, { absmax: old }: EightBit, book: CodeBook): EightBit {
  if (!old) return { codes: values };
  const blocks = inBlocks(values, old.shape[0]!);
  const absmax = max(abs(blocks), { axes: [1] });
  const most = broadcastTo(reshape(absmax, [-1, 1]), blocks.shape);
  const table = book.codes();
  const unit = minimum(maximum(mul(blocks, div(1, most)), -1), 1);
  const entry = cast(add(mul(mul(add(unit, 1), 0.5), table.length - 1), 0.5), "i32");
  const empty = equal(most, 0);
  // A block of zeros has code 0; NaN would be no place in the table.
  const codes = where(empty, 0, cast(lookup(tensor(Int32Array.from(table)), where(empty, 0, entry)), "i32"));
  return { codes: cast(like(codes, values), "u8"), absmax };
}
