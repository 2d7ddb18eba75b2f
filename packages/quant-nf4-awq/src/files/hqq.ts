import { decode, type MatrixShape, roundTo, sizeOf } from "@weft/tensor-core";
import { asInts } from "../bytes.js";
import { GGUF_TYPES } from "../gguf/types.js";
import { hqq, hqqPerByte, type HqqOptions } from "../integer/hqq.js";
import type { PartBytes, QuantizedWeight } from "../quant-format.js";
import { ModuleReader, type QuantFiles } from "./quant-files.js";

const DTYPES: { readonly [name: string]: HqqOptions["dtype"] } = {
  "torch.float32": "f32",
  "torch.float16": "f16",
  "torch.bfloat16": "bf16",
};
const STORED = { f32: "F32", f16: "F16", bf16: "BF16" } as const;

/** A module's fields besides its tensors: numbers, and text as one byte a letter. */
class Fields {
  private readonly reader: ModuleReader;

  constructor(reader: ModuleReader) {
    this.reader = reader;
  }

  integer(name: string): number {
    const { data } = this.reader.take(name, { dtype: ["I32"], shape: [] });
    return asInts(data)[0]!;
  }

  flag(name: string): boolean {
    return this.reader.has(name) && this.reader.take(name, { dtype: ["U8"], shape: [] }).data[0] !== 0;
  }

  text(name: string): string {
    return String.fromCharCode(...this.reader.take(name, { dtype: ["U8"], shape: [undefined] }).data);
  }
}

/** Codes in the order of the weight from hqq's packing: rows of [lines, columns] in as many parts as a word has places, the first part in the highest bits. */
function unpackCodes(data: Uint8Array, bits: HqqOptions["bits"], lines: number, columns: number, packed: number): Uint8Array {
  const words = bits === 3 ? asInts(data) : data;
  const places = bits === 3 ? 10 : 8 / bits;
  const codes = new Uint8Array(lines * columns);
  for (let line = 0; line < lines; line++) {
    const shift = bits * (places - 1 - Math.floor(line / packed));
    const from = (line % packed) * columns;
    for (let c = 0; c < columns; c++) codes[line * columns + c] = (words[from + c]! >> shift) & (2 ** bits - 1);
  }
  return codes;
}

/** What hqq writes of a layer, also by way of transformers: `W_q`, `scale`, `zero` and fields beside them. Read only. @see hqq `core/quantize.py` state_dict, `core/bitpack.py` */
export const HQQ_FILES: QuantFiles = {
  method: "hqq",
  matches: (tensors) => tensors.has("W_q"),
  read(tensors, options): QuantizedWeight {
    const reader = new ModuleReader(tensors, options);
    const fields = new Fields(reader);
    const [bits, groupSize, axis] = [fields.integer("nbits"), fields.integer("group_size"), fields.integer("axis")];
    if (bits !== 1 && bits !== 2 && bits !== 3 && bits !== 4 && bits !== 8)
      throw reader.error("nbits", `is ${bits}, expected 1, 2, 3, 4 or 8`);
    if (axis !== 0 && axis !== 1) throw reader.error("axis", `is ${axis}, expected 0 or 1`);
    for (const name of ["quant_scale", "quant_zero"])
      if (fields.flag(name)) throw reader.error(name, "is set: scales or zero points that are quantised themselves are not read");
    const computed = fields.text("compute_dtype");
    const dtype = Object.hasOwn(DTYPES, computed) ? DTYPES[computed] : undefined;
    if (!dtype) throw reader.error("compute_dtype", `is ${JSON.stringify(computed)}, expected one of ${Object.keys(DTYPES).join(", ")}`);
    const shape: MatrixShape = reader.matrix("shape");
    const groups = sizeOf(shape) / groupSize;
    if (groupSize <= 0 || groupSize % 8 !== 0 || !Number.isInteger(groups))
      throw reader.error("group_size", `is ${groupSize}, expected a multiple of 8 that divides ${sizeOf(shape)}`);
    const [lines, columns] = axis === 1 ? [groups, groupSize] : [groupSize, groups];
    const packed = Math.ceil(lines / (bits === 3 ? 10 : 8 / bits));
    const { data } = reader.take("W_q");
    const bytes = packed * columns * (bits === 3 ? 4 : 1);
    if (data.byteLength !== bytes || (bits !== 3 && packed * (8 / bits) !== lines))
      throw reader.error("W_q", `has ${data.byteLength} bytes, expected ${bytes} for ${lines} lines of ${columns}`);
    const along = axis === 1 ? [groups, 1] : [1, groups];
    const [scale, zero] = ["scale", "zero"].map((name) => reader.take(name, { dtype: [STORED[dtype]], shape: along }).data) as [
      Uint8Array,
      Uint8Array,
    ];
    const codes = unpackCodes(data, bits, lines, columns, packed);
    return axis === 1
      ? { format: hqq({ bits, groupSize, dtype }), shape, dtype, parts: { codes: together(codes, bits), scale, zero } }
      : { format: GGUF_TYPES.F32, shape, dtype, parts: values(codes, groups, scale, zero, dtype) };
  },
};

/** Codes as the format has them. */
function together(codes: Uint8Array, bits: HqqOptions["bits"]): Uint8Array {
  const perByte = hqqPerByte(bits);
  const bytes = new Uint8Array(Math.ceil(codes.length / perByte));
  codes.forEach((code, i) => (bytes[Math.floor(i / perByte)]! |= code << ((i % perByte) * (8 / perByte))));
  return bytes;
}

/** The values of a weight whose groups run across its rows (axis 0): no format has those, so that they are stored as they are. */
function values(codes: Uint8Array, groups: number, scale: Uint8Array, zero: Uint8Array, dtype: HqqOptions["dtype"]): PartBytes {
  const [s, z] = [decode(scale, dtype), decode(zero, dtype)];
  const rounded = (x: number): number => roundTo(x, dtype);
  const found = Float32Array.from(codes, (code, i) => rounded(rounded(code - z[i % groups]!) * s[i % groups]!));
  return { bytes: new Uint8Array(found.buffer) };
}
