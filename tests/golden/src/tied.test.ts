import { readdirSync } from "node:fs";
import { join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { openWeights } from "@weft/io-safetensors/node";
import { loadPretrained } from "@weft/models/node";
import { loadPeftModel } from "@weft/registry/node";
import { tensor, type Tensor } from "@weft/tensor-core";
import { expect, it } from "vitest";

/** Made by fixtures/make_tied.py: adapters of PEFT's on a Llama with tied embeddings, and the matrices that its unmerged forward pass amounts to. */
const TIED = join(import.meta.dirname, "../../../fixtures/tied");
const CASES = readdirSync(TIED).filter((name) => !/^(llama|gpt2|llava)/.test(name));

const apart = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).toBe(b.length);
  let [most, largest] = [0, 0];
  for (let i = 0; i < a.length; i++) [most, largest] = [Math.max(most, Math.abs(a[i]! - b[i]!)), Math.max(largest, Math.abs(b[i]!))];
  return most / largest;
};

it.each(CASES)("a model with tied embeddings computes with %s what PEFT's does, merged and unmerged", async (name) => {
  const model = await loadPretrained(join(TIED, "llama"));
  const peft = await loadPeftModel(model, join(TIED, name), { methods: ADAPTER_METHODS });
  const merged = peft.mergeAndUnload() as typeof model;
  const expected = await openWeights(join(TIED, name, "expected.safetensors"));
  const layers = new Map([...merged.layers()].map(({ path, base }) => [path, base.weight]));
  for (const [path, key] of [
    ["model.embed_tokens", "embed"],
    ["lm_head", "head"],
  ] as const) {
    const { data } = await expected.read(key);
    expect(apart(await layers.get(path)!.data(), new Float32Array(data.slice().buffer)), path).toBeLessThan(1e-6);
  }
  // The last token is one that only a resized vocabulary has.
  const last = layers.get("model.embed_tokens")!.shape[0]! - 1;
  const inputIds = tensor([[1, 5, 7, last]], { dtype: "i32" });
  const logits = (one: { forward(inputs: { inputIds: Tensor }): { logits: Tensor } }): Promise<ArrayLike<number>> =>
    one.forward({ inputIds }).logits.data();
  expect(apart(await logits(peft), await logits(merged))).toBeLessThan(1e-6);
  await expected.close();
});
