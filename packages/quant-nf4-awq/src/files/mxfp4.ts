import { CapabilityError, type MatrixShape } from "@weft/tensor-core";
import { bytesOf } from "../bytes.js";
import { E2M1 } from "../float/e2m1.js";
import { MXFP4 } from "../float/mxfp4.js";
import { ModuleReader, type QuantFiles } from "./quant-files.js";

/**
 * MXFP4 as gpt-oss has it: `blocks` U8 […, in / 32, 16] and `scales` U8 […, in / 32] of a parameter, which the file calls `<parameter>_blocks` and `<parameter>_scales`.
 * Experts are rows below one another. @see transformers `integrations/mxfp4.py`
 */
export const MXFP4_FILES: QuantFiles = {
  method: "mxfp4",
  matches: (tensors) => tensors.has("blocks") && tensors.has("scales"),
  read(tensors, options) {
    const reader = new ModuleReader(tensors, options);
    const { shape: dimensions, data } = reader.take("blocks", { dtype: ["U8"] });
    if (dimensions.length < 3 || dimensions.at(-1) !== 16)
      throw reader.error("blocks", `is [${dimensions}], expected […, rows, blocks, 16]`);
    const scales = reader.take("scales", { dtype: ["U8"], shape: dimensions.slice(0, -1) });
    const groups = dimensions.at(-2)!;
    const shape: MatrixShape = [dimensions.slice(0, -2).reduce((a, b) => a * b, 1), 32 * groups];
    return { format: MXFP4, shape, dtype: "bf16", parts: { blocks: data, scales: scales.data, levels: bytesOf(E2M1) } };
  },
  write({ format, shape: [out, width], parts }) {
    if (format !== MXFP4) throw new CapabilityError(`gpt-oss has no ${format.name}`, { kind: "unwritable-format", hint: "it has MXFP4" });
    return new Map([
      ["blocks", { dtype: "U8", shape: [out, width / 32, 16], data: parts.blocks! }],
      ["scales", { dtype: "U8", shape: [out, width / 32], data: parts.scales! }],
    ]);
  },
  config: (_, skipped) => ({ quant_method: "mxfp4", modules_to_not_convert: skipped ?? null }),
};
