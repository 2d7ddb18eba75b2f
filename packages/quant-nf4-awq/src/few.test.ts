import { readFileSync } from "node:fs";
import { type SafetensorsDType, type TensorView, toCoreDType } from "@weft/io-safetensors";
import { decode } from "@weft/tensor-core";
import { describe, expect, it, test } from "vitest";
import {
  awq,
  COMFY_FP8_FILES,
  COMPRESSED_TENSORS,
  dequantize,
  FP8_FILES,
  gptq,
  GPTQ_FILES,
  MXFP4,
  MXFP4_FILES,
  memorySaved,
  nvfp4,
  packQuantized,
  quantize,
  type QuantFormat,
  requantize,
  scaled,
  unpack,
} from "./index.js";

/** What compressed-tensors, transformers and torch computed (fixtures/make_quant_few.py). */
const file = readFileSync(new URL("../../../fixtures/quant/few.safetensors", import.meta.url));
const start = 8 + Number(file.readBigUInt64LE());
type Entry = { readonly dtype: SafetensorsDType; readonly shape: number[]; readonly data_offsets: readonly [number, number] };
const header = JSON.parse(file.toString("utf8", 8, start)) as { readonly [name: string]: Entry };
const view = (name: string): TensorView => {
  const {
    dtype,
    shape,
    data_offsets: [from, to],
  } = header[name]!;
  return { dtype, shape, data: Uint8Array.from(file.subarray(start + from, start + to)) };
};
const values = (name: string): Float32Array => Float32Array.from(decode(view(name).data, toCoreDType(view(name).dtype)!));
const module = (prefix: string, ...names: readonly string[]): Map<string, TensorView> =>
  new Map(names.filter((n) => header[prefix + n]).map((n) => [n, view(prefix + n)]));
const weight = values("weight");
/** The largest difference, as a share of the largest value. */
const gap = (got: Float32Array, want: Float32Array): number =>
  got.reduce((worst, v, i) => Math.max(worst, Math.abs(v - want[i]!)), 0) / want.reduce((most, v) => Math.max(most, Math.abs(v)), 0);

describe.each([
  ["pack.4.sym.", packQuantized({ scaleDType: "f32" })],
  ["pack.4.asym.", packQuantized({ groupSize: 64, symmetric: false, scaleDType: "f32" })],
  ["pack.8.sym.", packQuantized({ bits: 8, groupSize: -1, scaleDType: "f32" })],
] as const)("compressed-tensors' %s", (name, format) => {
  const tensors = module(name, "weight_packed", "weight_scale", "weight_shape", "weight_zero_point");
  const theirs = COMPRESSED_TENSORS.read(tensors);

  it("has its values", async () => {
    expect(theirs.format).toBe(format);
    expect(gap(await dequantize(theirs), values(`${name}dequant`))).toBeLessThan(1e-6);
  });

  it("is quantised and written as it does", async () => {
    const ours = quantize(weight, [16, 256], format);
    const written = COMPRESSED_TENSORS.write!(ours);
    expect([...written.keys()].sort()).toEqual([...tensors.keys()].sort());
    for (const [key, { dtype, shape }] of written) expect([dtype, shape], key).toEqual([tensors.get(key)!.dtype, tensors.get(key)!.shape]);
    // The scale is a quotient of f32, here of f64: a code in a thousand may fall on the other side of a half.
    const [a, b] = [await unpack(ours), await unpack(theirs)];
    expect(a.filter((code, i) => code !== b[i]).length).toBeLessThan(a.length / 1000);
  });
});

test("MXFP4 and NVFP4 have the values of transformers and compressed-tensors", async () => {
  const mxfp4 = MXFP4_FILES.read(module("mxfp4.", "blocks", "scales"));
  expect(await dequantize({ ...mxfp4, dtype: "f32" })).toEqual(values("mxfp4.dequant"));
  expect(MXFP4_FILES.write!(mxfp4)).toEqual(module("mxfp4.", "blocks", "scales"));
  const fp4 = COMPRESSED_TENSORS.read(module("nvfp4.", "weight_packed", "weight_scale", "weight_global_scale"));
  expect(gap(await dequantize(fp4), values("nvfp4.dequant"))).toBeLessThan(1e-6);
  expect(COMPRESSED_TENSORS.write!(fp4)).toEqual(module("nvfp4.", "weight_packed", "weight_scale", "weight_global_scale"));
});

test("FP8 has a scale for the weight, a row, or a tile, and is rounded as torch does", async () => {
  const beside = (name: string, as: string): Map<string, TensorView> =>
    new Map([
      ["weight", view("fp8.weight")],
      [as, view(`fp8.${name}.scale`)],
    ]);
  const read = async (name: string, w: ReturnType<typeof FP8_FILES.read>): Promise<void> =>
    expect(await dequantize({ ...w, dtype: "f32" }), name).toEqual(values(`fp8.${name}.dequant`));
  await read("tensor", COMFY_FP8_FILES.read(beside("tensor", "scale_weight")));
  await read("channel", COMPRESSED_TENSORS.read(beside("channel", "weight_scale")));
  await read("block", FP8_FILES.read(beside("block", "weight_scale_inv"), { config: { weight_block_size: [8, 100] } }));
  const own = COMPRESSED_TENSORS.write!(quantize(weight, [16, 256], scaled()));
  expect(own.get("weight_scale")).toEqual(view("fp8.own.scale"));
  const differ = own.get("weight")!.data.filter((byte, i) => byte !== view("fp8.own.weight").data[i]).length;
  expect(differ).toBeLessThanOrEqual(4); // quotients are rounded once here
});

test.each([2, 3, 8] as const)("GPTQ of %i bits has codes and values of words that were packed bit by bit", async (bits) => {
  const name = `gptq${bits}.`;
  const tensors = module(name, "qweight", "qzeros", "scales", "g_idx");
  const packed = GPTQ_FILES.read(tensors, { config: { bits, group_size: 32 } });
  expect(await unpack(packed)).toEqual(Int32Array.from(values(`${name}codes`)));
  expect(await dequantize({ ...packed, dtype: "f32" })).toEqual(values(`${name}dequant`));
  const v2 = await requantize(packed, gptq({ bits, groupSize: 32, checkpointFormat: "gptq_v2" }));
  const back = await requantize(v2.weight, packed.format);
  expect([v2.error, back.error]).toEqual([0, 0]);
  expect(GPTQ_FILES.write!(back.weight)).toEqual(tensors);
});

test.each<[QuantFormat, number]>([
  [awq({ groupSize: 64 }), 0.12],
  [awq({ groupSize: -1 }), 0.16],
  [gptq({ groupSize: 64 }), 0.12],
  [gptq({ bits: 2, groupSize: 64, sym: false, checkpointFormat: "gptq_v2" }), 0.6],
  [gptq({ bits: 8, groupSize: 100, sym: false, checkpointFormat: "gptq_v2" }), 0.01],
  [scaled({ codes: "i8" }), 0.01],
  [scaled({ codes: "f8e5m2", rows: -1 }), 0.06],
  [scaled({ rows: 128, columns: 128, scaleDType: "bf16" }), 0.03],
  [MXFP4, 0.14],
  [nvfp4(), 0.12],
  [nvfp4({ global: "multiply" }), 0.12],
])("%o keeps a weight", async (format, most) => {
  const { error } = await requantize(quantize(weight, [16, 256], scaled({ codes: "i8", rows: 1, columns: 1 })), format);
  expect(error).toBeGreaterThan(0);
  expect(error).toBeLessThan(most);
});

test("an index of a group that is not there is refused, and integers that do not fit are quantised anew", async () => {
  const tensors = module("gptq8.", "qweight", "qzeros", "scales", "g_idx");
  const stray = new Int32Array(64).fill(7);
  tensors.set("g_idx", { ...view("gptq8.g_idx"), data: new Uint8Array(stray.buffer) });
  expect(() => GPTQ_FILES.read(tensors, { config: { bits: 8, group_size: 32 }, path: "q" })).toThrow(
    "q.g_idx names group 7, expected 0 to 1",
  );
  const { error } = await requantize(quantize(weight, [16, 256], awq({ groupSize: 64 })), awq());
  expect(error).toBeGreaterThan(0.01);
  expect(memorySaved(quantize(weight, [16, 256], awq())).saved).toBeGreaterThan(0.8);
});
