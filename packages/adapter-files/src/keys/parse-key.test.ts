import { expect, test } from "vitest";
import { type KeyContext, parseKey } from "./parse-key.js";

const lora: KeyContext = { prefix: "lora_", modulesToSave: [], biases: false };
const q = "base_model.model.model.layers.0.self_attn.q_proj";

test.each<[string, KeyContext, object]>([
  [`${q}.lora_A.weight`, lora, { kind: "parameter", path: "model.layers.0.self_attn.q_proj", key: "lora_A.weight", depth: 0 }],
  [`${q}.lora_A.default.weight`, lora, { kind: "parameter", path: "model.layers.0.self_attn.q_proj", key: "lora_A.weight", depth: 0 }],
  [
    `${q}.lora_A.chat.weight`,
    { ...lora, adapterName: "chat" },
    { kind: "parameter", path: "model.layers.0.self_attn.q_proj", key: "lora_A.weight", depth: 0 },
  ],
  ["base_model.model.default.lora_A.weight", lora, { kind: "parameter", path: "default", key: "lora_A.weight", depth: 0 }],
  [
    `${q}.lora_magnitude_vector`,
    lora,
    { kind: "parameter", path: "model.layers.0.self_attn.q_proj", key: "lora_magnitude_vector", depth: 0 },
  ],
  [
    `${q}.lora_magnitude_vector.weight`,
    lora,
    { kind: "parameter", path: "model.layers.0.self_attn.q_proj", key: "lora_magnitude_vector.weight", depth: 0 },
  ],
  [`${q}.lora_B.bias`, lora, { kind: "parameter", path: "model.layers.0.self_attn.q_proj", key: "lora_B.bias", depth: 0 }],
  ["base_model.model.emb.lora_embedding_A.default", lora, { kind: "parameter", path: "emb", key: "lora_embedding_A", depth: 0 }],
  ["base_model.model.experts.base_layer.lora_A.weight", lora, { kind: "parameter", path: "experts", key: "lora_A.weight", depth: 1 }],
  [
    "base_model.model.mha.base_layer.out_proj.lora_A.weight",
    lora,
    { kind: "parameter", path: "mha.out_proj", key: "lora_A.weight", depth: 0, inside: "mha" },
  ],
  ["base_model.model.lora_block.proj.lora_A.weight", lora, { kind: "parameter", path: "lora_block.proj", key: "lora_A.weight", depth: 0 }],
  ["layers.0.q_proj.lora_A.weight", lora, { kind: "parameter", path: "layers.0.q_proj", key: "lora_A.weight", depth: 0 }],
  ["base_model.model.lin.base_layer.bias", { ...lora, biases: true }, { kind: "bias", path: "lin", key: "bias", adapted: true }],
  ["base_model.model.head.bias", { ...lora, biases: true }, { kind: "bias", path: "head", key: "bias", adapted: false }],
  ["base_model.model.head.bias", lora, { kind: "unknown" }],
  ["base_model.model.head.weight", lora, { kind: "unknown" }],
  ["base_model.model.head.bias", { ...lora, modulesToSave: ["head"] }, { kind: "module", path: "head", key: "bias" }],
  ["base_model.model.head.dense.weight", { ...lora, modulesToSave: ["head"] }, { kind: "module", path: "head.dense", key: "weight" }],
  [
    "base_model.model.head.modules_to_save.default.weight",
    { ...lora, modulesToSave: ["head"] },
    { kind: "module", path: "head", key: "weight" },
  ],
  ["base_model.model.lora_head.weight", { ...lora, modulesToSave: ["lora_head"] }, { kind: "module", path: "lora_head", key: "weight" }],
  [
    "base_model.model.head.lora_A.weight",
    { ...lora, modulesToSave: ["head"] },
    { kind: "parameter", path: "head", key: "lora_A.weight", depth: 0 },
  ],
  [
    "base_model.model.model.embed_tokens.base_layer.weight",
    lora,
    { kind: "embedding", path: "model.embed_tokens", key: "weight", adapted: true },
  ],
  ["base_model.model.lm_head.weight", lora, { kind: "embedding", path: "lm_head", key: "weight", adapted: false }],
  ["base_model.model.emb.token_adapter.trainable_tokens_delta", lora, { kind: "tokens", path: "emb", key: "trainable_tokens_delta" }],
  [
    "base_model.model.emb.trainable_tokens_delta",
    { ...lora, prefix: "trainable_tokens_" },
    { kind: "parameter", path: "emb", key: "trainable_tokens_delta", depth: 0 },
  ],
  ["base_model.vera_A", { ...lora, prefix: "vera_lambda_" }, { kind: "shared", key: "vera_A" }],
  ["prompt_embeddings", { ...lora, prefix: "" }, { kind: "shared", key: "prompt_embeddings" }],
  ["base_model.lm_head.weight", { ...lora, prefix: "", modulesToSave: ["lm_head"] }, { kind: "module", path: "lm_head", key: "weight" }],
  ["something", lora, { kind: "unknown" }],
  ["lora_unet_down_blocks_0.lora_up.weight", { ...lora, prefix: "oft_" }, { kind: "unknown" }],
])("%s", (name, context, expected) => {
  expect(parseKey(name, context)).toEqual(expected);
});
