import { ConfigError } from "@weft/tensor-core";
import { describe, expect, test } from "vitest";
import { fixtureJson } from "../testing.js";
import { readLlamaConfig } from "./config.js";

const llama = fixtureJson("models/llama/config.json");

test("a config of transformers 5", () => {
  expect(readLlamaConfig(llama)).toEqual({
    modelType: "llama",
    hiddenSize: 32,
    layers: 2,
    heads: 4,
    keyValueHeads: 2,
    headDim: 8,
    vocabSize: 96,
    intermediateSize: 56,
    maxPositions: 256,
    normEps: 1e-6,
    tieWordEmbeddings: false,
    rope: { type: "default", theta: 10000 },
    qkvBias: false,
    outputBias: false,
    mlpBias: false,
    windows: [undefined, undefined],
    qkNorm: false,
  });
});

test("fields that are absent take the defaults of transformers", () => {
  const { num_key_value_heads: _, head_dim: __, rope_parameters: ___, rms_norm_eps: ____, ...few } = llama;
  const config = readLlamaConfig(few);
  expect([config.keyValueHeads, config.headDim, config.rope, config.normEps]).toEqual([4, 8, { type: "default", theta: 10000 }, 1e-6]);
});

test("the dialect of transformers 4: rope_theta beside rope_scaling", () => {
  const { rope_parameters: _, ...rest } = llama;
  expect(readLlamaConfig({ ...rest, rope_theta: 5e5, rope_scaling: { type: "linear", factor: 2 } }).rope).toEqual({
    type: "linear",
    theta: 5e5,
    factor: 2,
  });
  expect(readLlamaConfig({ ...rest, rope_theta: 5e5, rope_scaling: null }).rope).toEqual({ type: "default", theta: 5e5 });
});

test("windows: Mistral everywhere, Qwen in the layers that are named", () => {
  const qwen = { ...fixtureJson("models/qwen2/config.json"), use_sliding_window: true, sliding_window: 7 };
  expect(readLlamaConfig(fixtureJson("models/mistral_window/config.json")).windows).toEqual([5, 5]);
  expect(readLlamaConfig({ ...llama, model_type: "mistral", sliding_window: null }).windows).toEqual([undefined, undefined]);
  expect(readLlamaConfig({ ...qwen, layer_types: ["full_attention", "sliding_attention"] }).windows).toEqual([undefined, 7]);
  expect(readLlamaConfig({ ...qwen, layer_types: null, max_window_layers: 1 }).windows).toEqual([undefined, 7]);
  expect(readLlamaConfig({ ...qwen, use_sliding_window: false }).windows).toEqual([undefined, undefined]);
});

test("layers of one model differ: in windows, rotary embeddings, or both", () => {
  const { rope_parameters: _, layer_types: __, ...gemma3 } = fixtureJson("models/gemma3_text/config.json");
  const older = { ...gemma3, rope_theta: 5e5, rope_local_base_freq: 2e4, rope_scaling: { rope_type: "linear", factor: 8 } };
  const [full, local] = [
    { type: "linear", theta: 5e5, factor: 8 },
    { type: "default", theta: 2e4 },
  ];
  expect(readLlamaConfig(older)).toMatchObject({ rope: full, ropes: [local, full, local], windows: [5, undefined, 5] });
  expect(readLlamaConfig({ ...older, sliding_window_pattern: 3 }).windows).toEqual([5, 5, undefined]);

  const smollm3 = { ...fixtureJson("models/smollm3/config.json"), layer_types: null, num_hidden_layers: 4 };
  const rope = { type: "default", theta: 10000 };
  expect(readLlamaConfig({ ...smollm3, no_rope_layers: null })).toMatchObject({
    ropes: [rope, undefined, rope, undefined],
    windows: [undefined, 5, undefined, 5],
  });
  expect(readLlamaConfig({ ...smollm3, no_rope_layers: [0, 1, 1, 1] }).ropes).toEqual([undefined, rope, rope, rope]);
  expect(() => readLlamaConfig({ ...smollm3, no_rope_layers: [1] })).toThrow("no_rope_layers is [1]");
});

test("Phi-3's older names of longrope, and no window where there is none", () => {
  const { rope_parameters, ...phi3 } = fixtureJson("models/phi3_longrope/config.json");
  const { rope_theta, rope_type: _, ...scaling } = rope_parameters as Record<string, unknown>;
  const now = readLlamaConfig({ ...phi3, rope_parameters });
  for (const type of ["su", "yarn", "longrope"])
    expect(readLlamaConfig({ ...phi3, rope_theta, rope_scaling: { ...scaling, type } })).toEqual(now);
  expect(now.rope).toMatchObject({ type: "longrope", original: 8 });
  expect(now.windows).toEqual([undefined, undefined]);
});

describe("what cannot be computed is refused, naming the field", () => {
  test.each<[string, Record<string, unknown>]>([
    ["model_type", { model_type: "gpt2" }],
    ["model_type", { model_type: "toString" }],
    ["hidden_size", { hidden_size: "32" }],
    ["hidden_size", { hidden_size: undefined }],
    ["num_hidden_layers", { num_hidden_layers: 1.5 }],
    ["num_attention_heads", { num_key_value_heads: 3 }],
    ["head_dim", { head_dim: 7 }],
    ["hidden_act", { hidden_act: "gelu" }],
    ["rms_norm_eps", { rms_norm_eps: -1 }],
    ["rms_norm_eps", { rms_norm_eps: "1e-6" }],
    ["attention_bias", { attention_bias: "yes" }],
    ["partial_rotary_factor", { partial_rotary_factor: 0.5 }],
    ["rope_parameters", { rope_parameters: [] }],
    ["rope_theta", { rope_parameters: { rope_type: "default", rope_theta: 0 } }],
    ["factor", { rope_parameters: { rope_type: "linear", rope_theta: 1e4 } }],
    ["low_freq_factor", { rope_parameters: { rope_type: "llama3", factor: 8, high_freq_factor: 4 } }],
    ["long_factor", { rope_parameters: { rope_type: "longrope", factor: 8, short_factor: [1, 1, 1, 1], long_factor: [1] } }],
    ["rope type", { rope_parameters: { rope_type: "spiral" } }],
    ["layer_types", { model_type: "qwen2", layer_types: ["full_attention"] }],
  ])("%s in %j", (field, change) => {
    expect(() => readLlamaConfig({ ...llama, ...change })).toThrow(ConfigError);
    expect(() => readLlamaConfig({ ...llama, ...change })).toThrow(field);
  });
});
