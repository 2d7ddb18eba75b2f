import { bitcast, type DType, encode } from "@weft/tensor-core";
import { bytesOf } from "../bytes.js";
import { f16Array } from "../f16.js";
import { float, int, part } from "../graph.js";
import type { GgufFormat } from "./block-format.js";

const floats = (name: string, id: number, dtype: DType, bytes: number, encodeAll: (values: Float32Array) => Uint8Array): GgufFormat => ({
  name,
  id,
  bits: 8 * bytes,
  levels: new Float32Array(),
  block: 1,
  blockBytes: bytes,
  constants: {},
  parts: ([out, width]) => ({ bytes: part([out, width], dtype, 0) }),
  codes: ({ bytes: values }) => int(bitcast(values!, "i32")),
  decode: ({ bytes: values }) => float(values!),
  encode: (values) => ({ bytes: encodeAll(values) }),
});

/** f32, as it is. */
export const F32: GgufFormat = /* @__PURE__ */ floats("f32", 0, "f32", 4, (values) => bytesOf(values.slice()));
/** f16, to the nearest. */
export const F16: GgufFormat = /* @__PURE__ */ floats("f16", 1, "f16", 2, (values) => bytesOf(f16Array(values, "f16")));
/** bf16, to the nearest. */
export const BF16: GgufFormat = /* @__PURE__ */ floats("bf16", 30, "bf16", 2, (values) => encode(values, "bf16"));
