import { bitcast, cast } from "../../ops/cast.js";
import { add, bitAnd, bitOr, equal, less, mul, shiftLeft, shiftRight, sub, where } from "../../ops/elementwise.js";
import { lookup } from "../../ops/linear.js";
import { reshape } from "../../ops/movement.js";
import type { DType } from "../../dtype.js";
import type { Tensor } from "../../graph.js";
import { type Format, type MatrixShape, type Parts, type PartSpec, position } from "../../formats/format.js";

/* Formulas of formats that people have files of, to see that the contract bears them. Reading and quantising them is the business of other packages. */

type Specs = { readonly [name: string]: PartSpec };
const int = (t: Tensor): Tensor => cast(t, "i32");
const spec = (shape: readonly number[], dtype: DType, axis?: number, elements = 1, rows = 1): PartSpec => ({
  shape,
  dtype,
  ...(axis !== undefined && { rows: { axis, elements, rows } }),
});
/** An element of a part by its number in row-major order. */
const flat = (t: Tensor, at: Tensor): Tensor => lookup(reshape(t, [-1]), at);

/** bitsandbytes NF4 with block maxima in eight bits: absmax = map8[code] · nested + offset, in blocks of 64 and 256. */
export const NF4_NESTED: Format = {
  name: "nf4-nested",
  block: 1,
  parts: ([out, width]) => ({
    packed: spec([Math.ceil((out * width) / 2)], "u8", 0, width, 2),
    absmax: spec([Math.ceil((out * width) / 64)], "u8", 0, width, 64),
    nested: spec([Math.ceil((out * width) / (64 * 256))], "f32", 0, width, 64 * 256),
    levels: spec([16], "f32"),
    map8: spec([256], "f32"),
    offset: spec([1], "f32"),
  }),
  decode({ packed, absmax, nested, levels, map8, offset }, shape) {
    const { row, column } = position(shape);
    const at = add(mul(row, shape[1]), column);
    const pair = int(flat(packed!, shiftRight(at, 1)));
    const code = where(equal(bitAnd(at, 1), 0), shiftRight(pair, 4), bitAnd(pair, 15));
    const scale = add(mul(flat(map8!, int(flat(absmax!, shiftRight(at, 6)))), flat(nested!, shiftRight(at, 14))), offset!);
    return mul(flat(levels!, code), scale);
  },
};

/** Four of the 32 bits of a word, from bit 4·place on. */
const nibble = (word: Tensor, place: Tensor): Tensor => bitAnd(shiftRight(word, shiftLeft(place, 2)), 15);
const grouped = ([out, width]: MatrixShape, group: number): Specs => ({
  qzeros: spec([width / group, out / 8], "i32", 1, 1, 8),
  scales: spec([width / group, out], "f16", 1),
});

/** AutoAWQ `gemm`, groups of 64: words of eight outputs in the order 0 2 4 6 1 3 5 7; computed in f16. */
export const AWQ: Format = {
  name: "awq-gemm",
  block: 64,
  parts: (shape) => ({ qweight: spec([shape[1], shape[0] / 8], "i32", 1, 1, 8), ...grouped(shape, 64) }),
  decode({ qweight, qzeros, scales }, shape) {
    const [out] = shape;
    const { row, column } = position(shape);
    const place = bitOr(shiftLeft(bitAnd(row, 1), 2), bitAnd(shiftRight(row, 1), 3));
    const [group, word] = [shiftRight(column, 6), shiftRight(row, 3)];
    const code = nibble(flat(qweight!, add(mul(column, out / 8), word)), place);
    const zero = nibble(flat(qzeros!, add(mul(group, out / 8), word)), place);
    return mul(cast(sub(code, zero), "f32"), cast(flat(scales!, add(mul(group, out), row)), "f32"));
  },
};

/** GPTQ in any order of columns: words of eight inputs, zeros less one (v1). */
export const GPTQ: Format = {
  name: "gptq-v1",
  block: 8,
  parts: (shape) => ({ qweight: spec([shape[1] / 8, shape[0]], "i32", 1), ...grouped(shape, 64), g_idx: spec([shape[1]], "i32") }),
  decode({ qweight, qzeros, scales, g_idx }, shape) {
    const [out] = shape;
    const { row, column } = position(shape);
    const group = flat(g_idx!, column);
    const code = nibble(flat(qweight!, add(mul(shiftRight(column, 3), out), row)), bitAnd(column, 7));
    const zeros = add(flat(qzeros!, add(mul(group, out / 8), shiftRight(row, 3))), 0x11111111);
    return mul(cast(sub(code, nibble(zeros, bitAnd(row, 7))), "f32"), cast(flat(scales!, add(mul(group, out), row)), "f32"));
  },
};

/** Bytes of blocks of `elements` weights, one block behind the other. */
function ofBlocks(
  name: string,
  elements: number,
  bytes: number,
  value: (byte: (at: Tensor | number) => Tensor, j: Tensor) => Tensor,
): Format {
  return {
    name,
    block: elements,
    parts: ([out, width]) => ({ bytes: spec([out, (width / elements) * bytes], "u8", 0) }),
    decode(parts, shape) {
      const { row, column } = position(shape);
      const shift = Math.log2(elements);
      const block = mul(add(mul(row, shape[1] / elements), shiftRight(column, shift)), bytes);
      return value((at) => int(flat(parts.bytes!, add(block, at))), bitAnd(column, elements - 1));
    },
  };
}
const f16At = (byte: (at: number) => Tensor, at: number): Tensor =>
  cast(bitcast(bitOr(byte(at), shiftLeft(byte(at + 1), 8)), "f16"), "f32");

/** GGUF Q4_0: an f16 scale of 32 weights; the lower halves of 16 bytes are the first sixteen. */
export const Q4_0: Format = ofBlocks("q4_0", 32, 18, (byte, j) => {
  const pair = byte(add(2, bitAnd(j, 15)));
  const code = where(less(j, 16), bitAnd(pair, 15), shiftRight(pair, 4));
  return mul(f16At(byte, 0), cast(sub(code, 8), "f32"));
});

/** GGUF Q5_0: an f16 scale of 32 weights; fifth bits in four bytes, then the others as in Q4_0. */
export const Q5_0: Format = ofBlocks("q5_0", 32, 22, (byte, j) => {
  const pair = byte(add(6, bitAnd(j, 15)));
  const low = where(less(j, 16), bitAnd(pair, 15), shiftRight(pair, 4));
  const fifth = bitAnd(shiftRight(byte(add(2, shiftRight(j, 3))), bitAnd(j, 7)), 1);
  return mul(f16At(byte, 0), cast(sub(bitOr(low, shiftLeft(fifth, 4)), 16), "f32"));
});

/** GGUF Q4_K: f16 scale and minimum of 256 weights, six bits of each for every 32. */
export const Q4_K: Format = ofBlocks("q4_k", 256, 144, (byte, j) => {
  const sub32 = shiftRight(j, 5);
  const low = less(sub32, 4);
  const [s, after] = [byte(add(sub32, 4)), byte(add(sub32, 8))];
  const high = shiftLeft(shiftRight(byte(where(low, 4, sub32)), 6), 4);
  const highMin = shiftLeft(shiftRight(s, 6), 4);
  const scale = where(low, bitAnd(s, 63), bitOr(bitAnd(after, 15), high));
  const min = where(low, bitAnd(after, 63), bitOr(shiftRight(after, 4), highMin));
  const pair = byte(add(add(16, shiftLeft(shiftRight(j, 6), 5)), bitAnd(j, 31)));
  const code = where(equal(bitAnd(sub32, 1), 0), bitAnd(pair, 15), shiftRight(pair, 4));
  const times = (f: Tensor, i: Tensor): Tensor => mul(f, cast(i, "f32"));
  return sub(mul(times(f16At(byte, 0), scale), cast(code, "f32")), times(f16At(byte, 2), min));
});

/** GGUF Q6_K: an f16 scale of 256 weights, eight bits of it for every 16. */
export const Q6_K: Format = ofBlocks("q6_k", 256, 210, (byte, j) => {
  const [half, quarter, l] = [shiftRight(j, 7), bitAnd(shiftRight(j, 5), 3), bitAnd(j, 31)];
  const pair = byte(add(add(shiftLeft(half, 6), shiftLeft(bitAnd(quarter, 1), 5)), l));
  const low = where(less(quarter, 2), bitAnd(pair, 15), shiftRight(pair, 4));
  const high = bitAnd(shiftRight(byte(add(add(128, shiftLeft(half, 5)), l)), shiftLeft(quarter, 1)), 3);
  const scale = sub(bitAnd(add(byte(add(192, shiftRight(j, 4))), 128), 255), 128);
  const code = sub(bitOr(low, shiftLeft(high, 4)), 32);
  return mul(mul(f16At(byte, 208), cast(scale, "f32")), cast(code, "f32"));
});

/** GGUF MXFP4: 2^(e-128) of 32 weights, times 0 1 2 3 4 6 8 12 and their negatives. */
export const MXFP4: Format = ofBlocks("mxfp4", 32, 17, (byte, j) => {
  const pair = byte(add(1, bitAnd(j, 15)));
  const code = where(less(j, 16), bitAnd(pair, 15), shiftRight(pair, 4));
  const magnitude = bitAnd(code, 7);
  const odd = bitAnd(magnitude, 1);
  const large = shiftLeft(add(2, odd), sub(shiftRight(magnitude, 1), 1));
  const value = where(less(magnitude, 2), magnitude, large);
  const e = byte(0);
  // The two smallest powers are subnormal.
  const power = bitcast(where(less(e, 2), shiftLeft(1 << 21, e), shiftLeft(sub(e, 1), 23)), "f32");
  return mul(power, cast(where(less(code, 8), value, sub(0, value)), "f32"));
});

/** DeepSeek's FP8: a scale for each tile of 128 × 128. */
export const FP8_TILES: Format = {
  name: "fp8-tiles",
  block: 1,
  parts: ([out, width]) => ({
    weight: spec([out, width], "f8e4m3", 0),
    scale_inv: spec([Math.ceil(out / 128), Math.ceil(width / 128)], "f32", 0, 1, 128),
  }),
  decode({ weight, scale_inv }: Parts, shape) {
    const { row, column } = position(shape);
    const tile = add(mul(shiftRight(row, 7), Math.ceil(shape[1] / 128)), shiftRight(column, 7));
    return mul(cast(weight!, "f32"), flat(scale_inv!, tile));
  },
};
