import { dequantize, rows } from "@weft/tensor-core";
import { describe, expect, it, test } from "vitest";
import {
  BITSANDBYTES,
  bytesPer,
  fourBit,
  GGUF_TYPES,
  ggufWeight,
  LLM_INT8,
  quantize,
  type QuantFormat,
  toPacked,
  unpack,
} from "./index.js";

/** Numbers about 0 in no order. */
const sample = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => Math.sin(i * i) * 0.1);
const WRITTEN: readonly QuantFormat[] = [
  fourBit(),
  fourBit({ quantType: "fp4", blocksize: 128 }),
  fourBit({ blocksize: 32, doubleQuant: true }),
  LLM_INT8,
  ...Object.values(GGUF_TYPES).filter(({ encode }) => encode),
];

describe.each(WRITTEN.map((format) => [format.name, format] as const))("%s", (_, format) => {
  const weight = quantize(sample(5 * 256), [5, 256], format);

  it("takes the bytes that it says", () => {
    expect(Object.values(weight.parts).reduce((sum, part) => sum + part.byteLength, 0)).toBe(bytesPer(format, [5, 256]));
  });

  it("has rows that are those of the whole", async () => {
    const whole = dequantize(toPacked(weight));
    expect(await rows(whole, 1, 4).data()).toEqual((await whole.data()).slice(256, 4 * 256));
  });
});

test("codes are unpacked in the order of the weight", async () => {
  const nf4 = fourBit();
  const weight = quantize(
    Float32Array.from({ length: 64 }, (_, i) => nf4.levels[i % 16]!),
    [4, 16],
    nf4,
  );
  expect([...(await unpack(weight))]).toEqual(Array.from({ length: 64 }, (_, i) => i % 16));
});

test("int8 rounds as bitsandbytes 0.50.2, which multiplies by the reciprocal of the largest", () => {
  // bitsandbytes.functional.int8_vectorwise_quant of this row; 127 / 1.2578125 in one step would give 63.
  expect([...new Int8Array(quantize(Float32Array.of(1.2578125, 0.62890625), [1, 2], LLM_INT8).parts.codes!)]).toEqual([127, 64]);
});

test("what cannot be stored is refused, and named", () => {
  const [shape, values] = [[2, 64] as const, sample(128)];
  expect(() => quantize(values.subarray(1), shape, fourBit())).toThrow("nf4: 127 values for a weight of [2,64]");
  expect(() => quantize(values, shape, GGUF_TYPES.Q4_K)).toThrow("q4_k: rows of [2,64] are no multiple of the block of 256 elements");
  expect(() => quantize(values, shape, GGUF_TYPES.NVFP4)).toThrow("gguf-nvfp4 is read, not written");
  expect(() => quantize(values.with(70, NaN), shape, fourBit())).toThrow("the value at [1, 6] is NaN");
  expect(() => quantize(values.with(70, 1e30), shape, GGUF_TYPES.Q8_0)).toThrow("f16 ends at 65504");
  expect(() => quantize(values.with(70, 7e4), shape, LLM_INT8)).toThrow("int8: a value or scale is 70000");
  expect(() => fourBit({ blocksize: 48 })).toThrow("blocksize is 48, expected one of 32, 64");
});

test("tensors that are not as the format says are named, with what was expected", () => {
  const tensors = new Map(BITSANDBYTES.write!(quantize(sample(128), [2, 64], fourBit({ doubleQuant: true }))));
  const options = { path: "layers.0.q_proj" };
  const read = (change: (map: typeof tensors) => void): (() => unknown) => {
    const map = new Map(tensors);
    change(map);
    return () => BITSANDBYTES.read(map, options);
  };
  const state = "weight.quant_state.bitsandbytes__nf4";
  const text = new TextDecoder().decode(tensors.get(state)!.data);
  const withState = (from: string | RegExp, to: string) =>
    read((map) => map.set(state, { ...map.get(state)!, data: new TextEncoder().encode(text.replace(from, to)) }));
  expect(read(() => {})).not.toThrow();
  expect(read((map) => map.delete("weight.absmax"))).toThrow("layers.0.q_proj.weight.absmax is missing");
  expect(read((map) => map.set("weight.quant_map", map.get("weight.absmax")!))).toThrow(
    "layers.0.q_proj.weight.quant_map is U8, expected F32",
  );
  expect(read((map) => map.set("weight", map.get("weight.absmax")!))).toThrow("layers.0.q_proj.weight has 2 bytes, expected 64 for [2,64]");
  expect(withState('"blocksize": 64', '"blocksize": 48')).toThrow("has blocksize 48, expected one of 32, 64");
  expect(withState("[2, 64]", "[2, -64]")).toThrow("has shape [2,-64], expected two sizes");
  expect(withState("float32", "float8")).toThrow('has dtype "float8"');
  expect(withState(/"nested_offset": [\d.]+/, '"nested_offset": null')).toThrow("has nested_offset null, expected a number");
  expect(() => ggufWeight("Q4_0", [2, 64], new Uint8Array(71))).toThrow("Q4_0 of [2,64] takes 72 bytes, got 71");
});
