import { describe, expect, it } from "vitest";
import { dequantize, quantLinear } from "../../composites/dequantize.js";
import { decode } from "../../convert/storage.js";
import type { Format, MatrixShape, PackedWeight } from "../../formats/format.js";
import { Tensor } from "../../graph.js";
import { cast } from "../../ops/cast.js";
import { ones, tensor } from "../../ops/create.js";
import { embedding, linear } from "../../ops/linear.js";
import { rows, transpose } from "../../ops/movement.js";
import { planGraph } from "../../plan/plan-graph.js";
import { AWQ, FP8_TILES, GPTQ, MXFP4, NF4_NESTED, Q4_0, Q4_K, Q5_0, Q6_K } from "./known-formats.js";
import { readFixture } from "./read-fixture.js";
import { TABLE4 } from "./table4.js";

const fixture = readFixture("quant/formats.safetensors");
const pack = (format: Format, shape: MatrixShape, parts: Record<string, Tensor>): PackedWeight => ({ format, shape, parts });

/** Weights of each format and the values that the Python original gives them. */
const WEIGHTS: readonly (readonly [PackedWeight, Tensor])[] = [
  [
    pack(NF4_NESTED, [96, 256], {
      packed: fixture("bnb4.c1.packed"),
      absmax: fixture("bnb4.c1.absmax"),
      nested: fixture("bnb4.c1.nested_absmax"),
      levels: fixture("bnb4.nf4_levels"),
      map8: fixture("bnb4.dynamic_map_8bit"),
      offset: tensor([0.2100050300359726]), // of the case in the manifest
    }),
    fixture("bnb4.c1.dequant"),
  ],
  [
    {
      ...pack(AWQ, [32, 256], {
        qweight: fixture("awq.gemm.qweight"),
        qzeros: fixture("awq.gemm.qzeros"),
        scales: fixture("awq.gemm.scales"),
      }),
      dtype: "f16",
    },
    transpose(fixture("awq.gemm.dequant_in_out")),
  ],
  [
    pack(GPTQ, [32, 256], {
      qweight: fixture("gptq.c2.qweight"),
      qzeros: fixture("gptq.c2.qzeros_v1"),
      scales: fixture("gptq.c2.scales"),
      g_idx: fixture("gptq.c2.g_idx"),
    }),
    fixture("gptq.c2.quantized"),
  ],
  [pack(Q4_0, [8, 512], { bytes: fixture("gguf_types.Q4_0.bytes") }), fixture("gguf_types.Q4_0.dequant")],
  [pack(Q5_0, [8, 512], { bytes: fixture("gguf_types.Q5_0.bytes") }), fixture("gguf_types.Q5_0.dequant")],
  [pack(Q4_K, [3, 512], { bytes: fixture("gguf_types.Q4_K.raw") }), fixture("gguf_types.Q4_K.raw_dequant")],
  [pack(Q6_K, [3, 512], { bytes: fixture("gguf_types.Q6_K.raw") }), fixture("gguf_types.Q6_K.raw_dequant")],
  [pack(MXFP4, [8, 512], { bytes: fixture("gguf_types.MXFP4.bytes") }), fixture("gguf_types.MXFP4.dequant")],
];

describe.each(WEIGHTS.map(([packed, values]) => [packed.format.name, packed, values] as const))("%s", (name, packed, values) => {
  it("has the values of the Python original", async () => {
    const [got, want] = [await dequantize(packed).data(), await values.data()];
    // GPTQ's are those before the scales were rounded to f16.
    const tolerance = name === "gptq-v1" ? 2 ** -11 : 0;
    got.forEach((v, i) => {
      if (
        !(
          Math.abs(v - want[i]!) <= tolerance * Math.abs(want[i]!) ||
          Object.is(v, want[i]) ||
          v === want[i] ||
          (v !== v && want[i] !== want[i])
        )
      )
        expect.fail(`element ${i} is ${v}, expected ${want[i]}`);
    });
  });
  it("is read by products as it lies, and by rows", async () => {
    const x = tensor(new Float32Array(packed.shape[1]), { shape: [1, packed.shape[1]] });
    const { plan } = planGraph([quantLinear(x, packed)], [], (call) => call.name === "quantLinear");
    expect(plan.steps.map((step) => (step.kind === "composite" ? step.op : step.kind))).toContain("quantLinear");
    const dense = packed.shape[0] * packed.shape[1] * 4;
    expect(plan.scratchBytes, "nothing of the size of the weight is written").toBeLessThan(dense / 8);
    const whole = await dequantize(packed).data();
    const width = packed.shape[1];
    expect(await rows(dequantize(packed), 1, 3).data()).toEqual(whole.slice(width, 3 * width));
    const last = packed.shape[0] - 1;
    const picked = await embedding(dequantize(packed), tensor(Int32Array.of(last, 1))).data();
    expect(picked.slice(0, width)).toEqual(whole.slice(last * width));
    expect(picked.slice(width)).toEqual(whole.slice(width, 2 * width));
  });
});

it("tiles of FP8 take the scale of their tile, at the ragged edges too", async () => {
  const shape: MatrixShape = [130, 257];
  const bytes = Uint8Array.from({ length: 130 * 257 }, (_, i) => (i * 37) % 127);
  const weight = cast(tensor(Float32Array.from(decode(bytes, "f8e4m3")), { shape }), "f8e4m3");
  const scales = tensor(
    Float32Array.from({ length: 6 }, (_, i) => i + 0.5),
    { shape: [2, 3] },
  );
  const got = await dequantize(pack(FP8_TILES, shape, { weight, scale_inv: scales })).data();
  const values = decode(bytes, "f8e4m3");
  for (const [i, j] of [
    [0, 0],
    [127, 127],
    [127, 128],
    [128, 127],
    [129, 256],
  ] as const)
    expect(got[i * 257 + j]).toBe(Math.fround(values[i * 257 + j]! * (Math.floor(i / 128) * 3 + Math.floor(j / 128) + 0.5)));
});

it("a format of one's own has its values by hand, across rows", async () => {
  const shape: MatrixShape = [3, 13];
  const table = Float32Array.from({ length: 16 }, (_, i) => i - 7.5);
  const codes = Uint8Array.from({ length: 20 }, (_, i) => (i * 29 + 3) & 255);
  const absmax = Float32Array.of(2, 3);
  const packed = pack(TABLE4, shape, {
    codes: tensor(Int32Array.from(codes), { dtype: "u8" }),
    absmax: tensor(absmax),
    table: tensor(table),
  });
  const want = Float32Array.from({ length: 39 }, (_, i) => table[(codes[i >> 1]! >> (i % 2 ? 0 : 4)) & 15]! * absmax[i >> 5]!);
  expect(await dequantize(packed).data()).toEqual(want);
  const x = ones([2, 13]);
  expect(await quantLinear(x, packed).data()).toEqual(await linear(x, tensor(want, { shape: [3, 13] })).data());
});
