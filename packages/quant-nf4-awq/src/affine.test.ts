import { dequantize } from "@weft/tensor-core";
import { describe, expect, it, test } from "vitest";
import {
  awq,
  fourBit,
  GGUF_TYPES,
  gptq,
  GPTQ_FILES,
  LLM_INT8,
  MXFP4,
  packQuantized,
  quantize,
  type QuantFormat,
  scaled,
  toPacked,
} from "./index.js";

const SHAPE = [16, 512] as const;
const WEIGHT = Float32Array.from({ length: 16 * 512 }, (_, i) => Math.sin(i * i) * 0.1 + 0.02);

const AFFINE: readonly QuantFormat[] = [
  ...(["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"] as const).map((name) => GGUF_TYPES[name]),
  LLM_INT8,
  awq(),
  awq({ groupSize: -1 }),
  gptq({ inOrder: true }),
  gptq({ inOrder: true, sym: false, checkpointFormat: "gptq_v2", groupSize: 32 }),
  gptq({ inOrder: true, bits: 8 }),
  packQuantized(),
  packQuantized({ bits: 8, symmetric: false, groupSize: 48 }),
  scaled({ codes: "i8" }),
  scaled({ codes: "i8", columns: 128 }),
];

describe.each(AFFINE.map((format) => [format.name, format] as const))("%s", (_, format) => {
  it("has the same values as integers with scales", async () => {
    const { bits, group, codes, scales, zeros, minima } = format.affine!;
    const packed = toPacked(quantize(WEIGHT, SHAPE, format));
    const { parts } = packed;
    const [c, s] = [codes(parts, SHAPE), scales(parts, SHAPE)];
    const groups = group < 0 ? 1 : Math.ceil(SHAPE[1] / group);
    expect([c.shape, s.shape]).toEqual([[...SHAPE], [SHAPE[0], groups]]);
    const z = typeof zeros === "number" ? undefined : await zeros(parts, SHAPE).data();
    const [code, scale, least] = [await c.data(), await s.data(), await minima?.(parts, SHAPE).data()];
    const values = await dequantize(packed).data();
    for (const [i, value] of values.entries()) {
      const at = Math.floor(i / SHAPE[1]) * groups + (group < 0 ? 0 : Math.floor((i % SHAPE[1]) / group));
      expect(code[i]! >= 0 && code[i]! < 2 ** bits).toBe(true);
      const zero = z ? z[at]! : (zeros as number);
      const expected = scale[at]! * (code[i]! - zero) + (least?.[at] ?? 0);
      // Another order of two roundings.
      if (!(Math.abs(value - expected) <= 2 ** -22 * (Math.abs(scale[at]! * code[i]!) + Math.abs(expected))))
        expect.fail(`element ${i} is ${value}, ${expected} as an integer with a scale`);
    }
  });
});

test("what is no integer with a scale for neighbours does not say that it is", () => {
  for (const format of [fourBit(), GGUF_TYPES.IQ4_NL, MXFP4, gptq(), scaled()]) expect(format.affine, format.name).toBeUndefined();
});

test("a GPTQ file whose columns are in order has neighbours as groups", () => {
  const ordered = GPTQ_FILES.write!(quantize(WEIGHT, SHAPE, gptq()));
  const config = { bits: 4, group_size: 128 };
  expect(GPTQ_FILES.read(ordered, { config }).format).toBe(gptq({ inOrder: true }));
  const order = ordered.get("g_idx")!;
  const turned = new Map([
    ...ordered,
    ["g_idx", { ...order, data: new Uint8Array(Int32Array.from({ length: 512 }, (_, i) => i % 4).buffer) }],
  ]);
  expect(GPTQ_FILES.read(turned, { config }).format).toBe(gptq());
});
