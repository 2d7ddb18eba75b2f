import { FormatError, type MatrixShape } from "@weft/tensor-core";
import { assertBlocks, type QuantizedWeight } from "../quant-format.js";
import type { GgufFormat } from "./block-format.js";
import { BF16, F16, F32 } from "./floats.js";
import { IQ4_NL } from "./iq4-nl.js";
import { IQ4_XS } from "./iq4-xs.js";
import { GGUF_MXFP4 } from "./mxfp4.js";
import { GGUF_NVFP4 } from "./nvfp4.js";
import { Q2_K } from "./q2-k.js";
import { Q3_K } from "./q3-k.js";
import { Q4_0 } from "./q4-0.js";
import { Q4_1 } from "./q4-1.js";
import { Q4_K } from "./q4-k.js";
import { Q5_0 } from "./q5-0.js";
import { Q5_1 } from "./q5-1.js";
import { Q5_K } from "./q5-k.js";
import { Q6_K } from "./q6-k.js";
import { Q8_0 } from "./q8-0.js";

/** A name of ggml's types. */
export type GgufType =
  | "F32"
  | "F16"
  | "BF16"
  | "Q4_0"
  | "Q4_1"
  | "Q5_0"
  | "Q5_1"
  | "Q8_0"
  | "Q2_K"
  | "Q3_K"
  | "Q4_K"
  | "Q5_K"
  | "Q6_K"
  | "IQ4_NL"
  | "IQ4_XS"
  | "MXFP4"
  | "NVFP4";

/** The types of GGUF files under ggml's names. */
export const GGUF_TYPES: Readonly<Record<GgufType, GgufFormat>> = {
  F32,
  F16,
  BF16,
  Q4_0,
  Q4_1,
  Q5_0,
  Q5_1,
  Q8_0,
  Q2_K,
  Q3_K,
  Q4_K,
  Q5_K,
  Q6_K,
  IQ4_NL,
  IQ4_XS,
  MXFP4: GGUF_MXFP4,
  NVFP4: GGUF_NVFP4,
};

/**
 * A matrix of a GGUF file.
 * @param bytes its data
 * @throws FormatError kind `quantized-weight` for another number of bytes; ShapeError for rows that are not whole blocks
 */
export function ggufWeight(type: GgufType, shape: MatrixShape, bytes: Uint8Array): QuantizedWeight {
  const format: GgufFormat = GGUF_TYPES[type];
  if (!Object.hasOwn(GGUF_TYPES, type))
    throw new FormatError(`${JSON.stringify(type)} is no GGUF type that is read`, {
      kind: "quantized-weight",
      hint: `there are ${Object.keys(GGUF_TYPES).join(", ")}`,
    });
  assertBlocks(format, shape);
  const expected = (shape[0] * shape[1] * format.blockBytes) / format.block;
  if (bytes.byteLength !== expected)
    throw new FormatError(`${type} of [${shape}] takes ${expected} bytes, got ${bytes.byteLength}`, { kind: "quantized-weight" });
  return { format, shape, dtype: "f32", parts: { bytes, ...format.constants } };
}
