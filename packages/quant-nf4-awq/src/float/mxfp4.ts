import { add, mul, position, shiftRight } from "@weft/tensor-core";
import { bytesOf } from "../bytes.js";
import { flat, flatPosition, int, nibbleAt, part } from "../graph.js";
import type { QuantFormat } from "../quant-format.js";
import { E2M1, roundE2m1 } from "./e2m1.js";
import { exponentOf, powerOf } from "./e8m0.js";

/**
 * MXFP4 as gpt-oss has it: e2m1 of the code · 2^(scale - 127) for every 32 columns, the first of two codes in the lower half of a byte. Parts: `blocks` u8
 * [out, in / 2], `scales` u8 [out, in / 32], `levels` f32 [16], which is in no file.
 * @see OCP Microscaling Formats 1.0; transformers `integrations/mxfp4.py`
 */
export const MXFP4: QuantFormat = {
  name: "mxfp4",
  bits: 4,
  levels: E2M1,
  block: 32,
  parts: ([out, width]) => ({
    blocks: part([out, width / 2], "u8", 0),
    scales: part([out, width / 32], "u8", 0),
    levels: part([16], "f32"),
  }),
  codes: ({ blocks }, shape) => nibbleAt(blocks!, flatPosition(shape), "low"),
  decode({ blocks, scales, levels }, shape) {
    const { row, column } = position(shape);
    const power = powerOf(int(flat(scales!, add(mul(row, shape[1] / 32), shiftRight(column, 5)))), 0);
    return mul(flat(levels!, nibbleAt(blocks!, flatPosition(shape), "low")), power);
  },
  encode(values) {
    const blocks = new Uint8Array(values.length / 2);
    const scales = new Uint8Array(values.length / 32);
    for (let b = 0; b < scales.length; b++) {
      let max = 0;
      for (let i = 32 * b; i < 32 * (b + 1); i++) max = Math.max(max, Math.abs(values[i]!));
      const e = exponentOf(max);
      scales[b] = e;
      const inverse = 2 ** (127 - e);
      for (let i = 32 * b; i < 32 * (b + 1); i += 2)
        blocks[i >> 1] = roundE2m1(values[i]! * inverse) | (roundE2m1(values[i + 1]! * inverse) << 4);
    }
    return { blocks, scales, levels: bytesOf(E2M1) };
  },
};
