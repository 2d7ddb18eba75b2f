import {
  add,
  type AffineForm,
  bitAnd,
  bitcast,
  bitOr,
  iota,
  type MatrixShape,
  mul,
  type Parts,
  position,
  shiftLeft,
  shiftRight,
  sub,
  type Tensor,
} from "@weft/tensor-core";
import { bytesOf } from "../bytes.js";
import { f16Bits, roundF16, tooLarge } from "../f16.js";
import { flat, float, int, part } from "../graph.js";
import type { PartBytes, QuantFormat } from "../quant-format.js";
import type { Importance } from "./weighted-search.js";

/** A byte of the block that an element lies in, as i32; `at` may differ from element to element. */
export type ByteOf = (at: Tensor | number) => Tensor;

/** Whole numbers with a scale, the same for `group` neighbours; f32. */
export interface BlockAffine {
  readonly group: number;
  scale(byte: ByteOf, j: Tensor): Tensor;
  /** 0 if not given. */
  readonly zero?: number;
  minimum?(byte: ByteOf, j: Tensor): Tensor;
  /** The smallest code; 0 if not given. */
  readonly lowest?: number;
}

/** The value of element `j` of a block. @param level `levels[code]` of types with `table`, the code elsewhere; f32 */
export type BlockFormula = (byte: ByteOf, j: Tensor, level: Tensor) => Tensor;

/** How ggml stores blocks of neighbours in a row. */
export interface BlockType {
  readonly name: string;
  /** ggml's number of the type. */
  readonly id: number;
  /** Weights in a block, a power of two. */
  readonly elements: number;
  /** Bytes of a block. */
  readonly bytes: number;
  readonly bits: number;
  readonly levels: Float32Array;
  /** The code of element `j` of a block. */
  code(byte: ByteOf, j: Tensor): Tensor;
  /** Its value: scale · (code - zero) + minimum, or another formula. */
  readonly value: BlockAffine | BlockFormula;
  /** True where levels are looked up: they are a part of the weight then. */
  readonly table?: boolean;
  /** Stores `elements` numbers of `x` from `from` on as the bytes of `block` from `to` on, which are 0. @param importance of its inputs, for types that are `weighted` */
  readonly encodeBlock?: (x: Float32Array, from: number, block: Uint8Array, to: number, importance?: Importance) => void;
  /** Stores all blocks of `x` at once, in place of `encodeBlock`. */
  readonly encodeBlocks?: (x: Float32Array, blocks: Uint8Array) => void;
  /** True where the search for scales takes an importance. */
  readonly weighted?: boolean;
}

/** A format of GGUF files. */
export interface GgufFormat extends QuantFormat {
  /** ggml's number of the type. */
  readonly id: number;
  /** Bytes of a block. */
  readonly blockBytes: number;
  /** Parts that are the same for every weight, and in no file: the table of levels. */
  readonly constants: PartBytes;
}

const affineValue =
  ({ scale, zero = 0, minimum }: BlockAffine): BlockFormula =>
  (byte, j, code) => {
    const product = mul(scale(byte, j), zero === 0 ? code : sub(code, zero));
    return minimum ? add(product, minimum(byte, j)) : product;
  };

/** The format of a block type: `bytes` u8 [out, in / elements · bytes], blocks one behind the other, and `levels` f32 where they are looked up. */
export function blockFormat({
  name,
  id,
  elements,
  bytes,
  bits,
  levels,
  code,
  value,
  table,
  encodeBlock,
  encodeBlocks,
  weighted = false,
}: BlockType): GgufFormat {
  const valueOf = typeof value === "function" ? value : affineValue(value);
  const shift = Math.log2(elements);
  const within = (
    parts: Parts,
    shape: readonly [number, number],
    { row, column } = position(shape),
  ): { readonly byte: ByteOf; readonly j: Tensor } => {
    const block = mul(add(mul(row, shape[1] / elements), shiftRight(column, shift)), bytes);
    return { byte: (at) => int(flat(parts.bytes!, at === 0 ? block : add(block, at))), j: bitAnd(column, elements - 1) };
  };
  /** What groups have, as a form says it. */
  const formOf = ({ group, scale, zero = 0, minimum, lowest = 0 }: BlockAffine): AffineForm => {
    const ofGroups =
      (number: (byte: ByteOf, j: Tensor) => Tensor) =>
      (parts: Parts, shape: readonly [number, number]): Tensor => {
        const groups = [shape[0], shape[1] / group] as const;
        const { byte, j } = within(parts, shape, { row: iota(groups, 0), column: mul(iota(groups, 1), group) });
        return number(byte, j);
      };
    return {
      bits,
      group,
      codes(parts, shape) {
        const { byte, j } = within(parts, shape);
        const c = code(byte, j);
        return lowest === 0 ? c : sub(c, lowest);
      },
      scales: ofGroups(scale),
      zeros: zero - lowest,
      ...(minimum && { minima: ofGroups(minimum) }),
    };
  };
  const encode =
    (encodeBlock || encodeBlocks) &&
    ((values: Float32Array, [out, width]: MatrixShape, weights?: Float32Array): PartBytes => {
      const blocks = new Uint8Array(((out * width) / elements) * bytes);
      if (encodeBlocks) {
        encodeBlocks(values, blocks);
        return { bytes: blocks, ...constants };
      }
      const importance: Importance | undefined = weights && { weights, column: 0 };
      for (let from = 0, to = 0; from < values.length; from += elements, to += bytes) {
        if (importance) importance.column = from % width;
        encodeBlock!(values, from, blocks, to, importance);
      }
      return { bytes: blocks, ...constants };
    });
  const constants: PartBytes = table ? { levels: bytesOf(levels) } : {};
  return {
    name,
    id,
    bits,
    levels,
    block: elements,
    blockBytes: bytes,
    parts: ([out, width]) => ({
      bytes: part([out, (width / elements) * bytes], "u8", 0),
      ...(table && { levels: part([levels.length], "f32") }),
    }),
    codes(parts, shape) {
      const { byte, j } = within(parts, shape);
      return code(byte, j);
    },
    decode(parts, shape) {
      const { byte, j } = within(parts, shape);
      const c = code(byte, j);
      return valueOf(byte, j, table ? flat(parts.levels!, c) : float(c));
    },
    constants,
    ...(typeof value !== "function" && { affine: formOf(value) }),
    ...(encode && { encode: (values, shape) => encode(values, shape) }),
    ...(encode && weighted && { encodeWeighted: encode }),
  };
}

/** The f16 number in two bytes of a block, as f32. */
export const f16At = (byte: ByteOf, at: number): Tensor => float(bitcast(bitOr(byte(at), shiftLeft(byte(at + 1), 8)), "f16"));

/** Writes a number as f16. @returns what it has become. @throws FormatError kind `non-finite` beyond f16 */
export function putF16(block: Uint8Array, at: number, x: number, format: string): number {
  const rounded = roundF16(x);
  if (!Number.isFinite(rounded)) throw tooLarge(format, x);
  const bits = f16Bits(rounded);
  block[at] = bits & 255;
  block[at + 1] = bits >> 8;
  return rounded;
}
