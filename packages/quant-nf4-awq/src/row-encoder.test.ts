import { describe, expect, it } from "vitest";
import { awq } from "./integer/awq.js";
import { fourBit } from "./bitsandbytes/four-bit.js";
import { LLM_INT8 } from "./bitsandbytes/int8.js";
import { GGUF_TYPES } from "./gguf/types.js";
import { gptq } from "./integer/gptq.js";
import { MXFP4 } from "./float/mxfp4.js";
import { nvfp4 } from "./float/nvfp4.js";
import { packQuantized } from "./integer/compressed.js";
import { quantize, type QuantFormat } from "./quant-format.js";
import { RowEncoder } from "./row-encoder.js";
import { scaled } from "./float/scaled.js";

const noise = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => Math.sin(i * 12.9898) * Math.cos(i * 0.37) * 0.1);

const CASES: readonly (readonly [name: string, format: QuantFormat, out: number, width: number])[] = [
  ["nf4", fourBit(), 40, 96], // blocks across rows
  ["nf4, a short block at the end", fourBit(), 7, 33],
  ["fp4", fourBit({ quantType: "fp4" }), 24, 128],
  ["nf4, scales in eight bits", fourBit({ doubleQuant: true }), 96, 256],
  ["int8", LLM_INT8, 9, 33],
  ["awq", awq({ groupSize: 32 }), 24, 64],
  ["awq, whole rows", awq({ groupSize: -1 }), 24, 64],
  ["gptq", gptq({ groupSize: 32 }), 24, 64],
  ["gptq of 8 bits, v2", gptq({ bits: 8, groupSize: 32, checkpointFormat: "gptq_v2", sym: false }), 24, 64],
  ["pack-quantized", packQuantized({ symmetric: false, groupSize: 32 }), 27, 64],
  ["fp8 in tiles", scaled({ rows: 16, columns: 16 }), 50, 40],
  ["fp8, one scale", scaled({ rows: -1 }), 50, 40],
  ["nvfp4", nvfp4(), 24, 64],
  ["mxfp4", MXFP4, 24, 64],
  ...Object.entries(GGUF_TYPES).flatMap(([name, format]) => (format.encode ? [[name, format, 12, 512] as const] : [])),
];

describe("rows one after the other give the bytes of all rows at once", () => {
  it.each(CASES)("%s", (_, format, out, width) => {
    const values = noise(out * width);
    const expected = quantize(values, [out, width], format).parts;
    const largest = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    for (const steps of [1, 2, 100]) {
      const encoder = new RowEncoder(format, [out, width], largest);
      const rows = steps * encoder.together;
      const got = new Map(Object.entries(expected).map(([part, bytes]) => [part, new Uint8Array(bytes.byteLength)]));
      for (let at = 0; at < out; at += rows)
        for (const piece of encoder.add(values.slice(at * width, Math.min(out, at + rows) * width))) {
          expect(RowEncoder.streams(format, [out, width]).has(piece.part)).toBe(true);
          got.get(piece.part)!.set(piece.bytes, piece.at);
        }
      for (const [part, bytes] of Object.entries(encoder.finish())) got.get(part)!.set(bytes);
      for (const [part, bytes] of Object.entries(expected)) expect([part, Buffer.from(got.get(part)!).equals(bytes)]).toEqual([part, true]);
    }
  });
});

it("names the row of a value that is none, and refuses rows that share a block with the next", () => {
  const values = noise(128 * 16);
  values[5 * 16 + 3] = NaN;
  const encoder = new RowEncoder(fourBit(), [128, 16]);
  expect(encoder.together).toBe(4);
  expect(() => encoder.add(values.slice(0, 2 * 16))).toThrow(/multiples of 4 rows/);
  encoder.add(values.slice(0, 4 * 16));
  expect(() => encoder.add(values.slice(4 * 16, 8 * 16))).toThrow(/\[5, 3\] is NaN/);
});

it("refuses outputs that do not fill words", () => {
  expect(() => new RowEncoder(awq({ groupSize: 32 }), [12, 64])).toThrow(/does not fill its qweight/);
});
