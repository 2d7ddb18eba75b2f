import { beforeAll, describe, expect, it, test } from "vitest";
import { fourBit, GGUF_TYPES, importanceOf, inputStatistics, quantize } from "../index.js";
import { Fixture } from "../testing/fixture.js";

/** What ggml's C encoder writes (fixtures/make_quant_importance.py). */
let fixture: Fixture;
beforeAll(async () => {
  fixture = await Fixture.open("importance.safetensors");
});

describe.each(["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"] as const)("%s", (type) => {
  const bytes = (importance?: Float32Array): Uint8Array =>
    quantize(fixture.values("input"), fixture.shape("input"), GGUF_TYPES[type], "f32", importance).parts.bytes!;

  it("has ggml's bytes", () => expect(bytes()).toEqual(fixture.view(type).data));

  it("has ggml's bytes with an importance of inputs", () =>
    expect(bytes(fixture.values("importance"))).toEqual(fixture.view(`${type}.weighted`).data));
});

test("importance is the mean square of inputs, and is refused where it does not belong", () => {
  expect([...importanceOf(inputStatistics(Float32Array.of(1, 2, 3, -4), 2))]).toEqual([5, 10]);
  const weight = new Float32Array(256).fill(0.5);
  const with_ = (importance: Float32Array, format = GGUF_TYPES.Q4_K as Parameters<typeof quantize>[2]): (() => unknown) => {
    return () => quantize(weight, [1, 256], format, "f32", importance);
  };
  const ones = new Float32Array(256).fill(1);
  expect(with_(ones)).not.toThrow();
  expect(with_(ones, fourBit())).toThrow("nf4 does not take an importance of inputs");
  expect(with_(ones, GGUF_TYPES.Q4_0)).toThrow("q4_0 does not take an importance of inputs");
  expect(with_(ones.subarray(1))).toThrow("q4_k: the importance is of 255 inputs, the weight has 256");
  expect(with_(ones.with(3, -1))).toThrow("q4_k: the importance of input 3 is -1");
});
