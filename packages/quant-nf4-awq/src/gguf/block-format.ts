import { add, bitAnd, bitcast, bitOr, mul, type Parts, position, shiftLeft, shiftRight, type Tensor } from "@weft/tensor-core";
import { bytesOf } from "../bytes.js";
import { f16Bits, roundF16, tooLarge } from "../f16.js";
import { flat, float, int, part } from "../graph.js";
import type { PartBytes, QuantFormat } from "../quant-format.js";

/** A byte of the block that an element lies in, as i32; `at` may differ from element to element. */
export type ByteOf = (at: Tensor | number) => Tensor;

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
  /** Its value. @param level `levels[code]` of types with `table`, the code elsewhere; f32 */
  value(byte: ByteOf, j: Tensor, level: Tensor): Tensor;
  /** True where levels are looked up: they are a part of the weight then. */
  readonly table?: boolean;
  /** Stores `elements` numbers of `x` from `from` on as the bytes of `block` from `to` on, which are 0. */
  readonly encodeBlock?: (x: Float32Array, from: number, block: Uint8Array, to: number) => void;
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

/** The format of a block type: `bytes` u8 [out, in / elements · bytes], blocks one behind the other, and `levels` f32 where they are looked up. */
export function blockFormat({ name, id, elements, bytes, bits, levels, code, value, table, encodeBlock }: BlockType): GgufFormat {
  const shift = Math.log2(elements);
  const within = (parts: Parts, shape: readonly [number, number]): { readonly byte: ByteOf; readonly j: Tensor } => {
    const { row, column } = position(shape);
    const block = mul(add(mul(row, shape[1] / elements), shiftRight(column, shift)), bytes);
    return { byte: (at) => int(flat(parts.bytes!, at === 0 ? block : add(block, at))), j: bitAnd(column, elements - 1) };
  };
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
      return value(byte, j, table ? flat(parts.levels!, c) : float(c));
    },
    constants,
    ...(encodeBlock && {
      encode(values, [out, width]) {
        const blocks = new Uint8Array(((out * width) / elements) * bytes);
        for (let from = 0, to = 0; from < values.length; from += elements, to += bytes) encodeBlock(values, from, blocks, to);
        return { bytes: blocks, ...constants };
      },
    }),
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
