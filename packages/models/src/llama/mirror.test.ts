import { ConfigError, tensor } from "@weft/tensor-core";
import { expect, test } from "vitest";
import { LLAMA } from "./llama.js";
import { loadPretrained } from "../node/load-pretrained.js";
import { fixture, worstError } from "../testing.js";

test("a mirror as large as the model, over the model's own parameters, gives the model's hidden states", async () => {
  const model = await loadPretrained(fixture("modelwide/mistral_base"), { architecture: LLAMA });
  const inputs = { inputIds: tensor(Int32Array.of(3, 14, 15, 9, 26, 5, 35), { shape: [1, 7] }) };
  const mirror = model.mirror({ layers: 3 });
  expect(Object.keys(mirror.parameters)).toContain("layers.2.mlp.up_proj.weight");
  expect(Object.keys(mirror.parameters)).not.toContain("lm_head.weight");
  const own = Object.fromEntries(Object.keys(mirror.parameters).map((name) => [name, model.weights.get(`model.${name}`)!]));
  const wanted = model.forward(inputs).hiddenStates.at(-1)!;
  expect(await worstError(mirror.hidden(inputs, own), wanted)).toBe(0);
  const { "embed_tokens.weight": _, ...shared } = own;
  expect(await worstError(mirror.hidden(inputs, shared), wanted)).toBe(0);
});

test("sizes of a mirror that do not go together are refused", async () => {
  const model = await loadPretrained(fixture("modelwide/llama_base"), { architecture: LLAMA });
  expect(() => model.mirror({ layers: 1, heads: 3 })).toThrow(ConfigError);
  expect(
    model.mirror({ layers: 1, hiddenSize: 16, heads: 2, intermediateSize: 20 }).parameters["layers.0.self_attn.q_proj.weight"]!.shape,
  ).toEqual([16, 16]);
});
