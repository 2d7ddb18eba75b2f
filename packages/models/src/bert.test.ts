import { add, gradients, mean, mul, type Tensor, tensor } from "@weft/tensor-core";
import { describe, expect, test } from "vitest";
import { BERT } from "./bert.js";
import { meanPooled } from "./pooling.js";
import { loadPretrained, loadPretrainedEncoder } from "./node/load-pretrained.js";
import { DEVICES, fixture, fixtureJson, fixtureTensors, renamed, worstError } from "./testing.js";
import { openWeights } from "@weft/io-safetensors/node";

const TOLERANCE = 1e-5;

describe.each(Object.keys(DEVICES))("on device %s", (name) => {
  test("states, pooled token, sentence vector, loss and every gradient are those of transformers", async () => {
    const device = await DEVICES[name]!();
    const model = await loadPretrainedEncoder(fixture("models/bert"), { device });
    const ref = await fixtureTensors("models/bert/ref.safetensors", device);
    const attentionMask = ref.get("attention_mask")!;
    const { lastHiddenState, poolerOutput, hiddenStates } = model.forward({
      inputIds: ref.get("input_ids")!,
      attentionMask,
      tokenTypeIds: ref.get("token_type_ids")!,
    });
    expect(await worstError(lastHiddenState, ref.get("last_hidden_state")!)).toBeLessThan(TOLERANCE);
    expect(await worstError(poolerOutput!, ref.get("pooler_output")!)).toBeLessThan(TOLERANCE);
    expect(await worstError(meanPooled(lastHiddenState, attentionMask), ref.get("mean_pooled_normalised")!)).toBeLessThan(TOLERANCE);
    expect(hiddenStates.length).toBe(3);
    for (const [i, h] of hiddenStates.entries()) expect(await worstError(h, ref.get(`hidden_${i}`)!), `${i}`).toBeLessThan(TOLERANCE);
    const { loss: want } = fixtureJson("models/bert/expect.json") as { loss: number };
    const loss = add(mean(mul(lastHiddenState, lastHiddenState)), mean(mul(poolerOutput!, poolerOutput!)));
    const names = [...model.weights.keys()];
    const grads = gradients(
      loss,
      names.map((n) => model.weights.get(n)!),
    );
    expect(Math.abs((await loss.item()) - want)).toBeLessThan(TOLERANCE);
    for (const [i, n] of names.entries()) expect(await worstError(grads[i]!, ref.get(`grad.${n}`)!), n).toBeLessThan(TOLERANCE);
    if (name !== "reference") device.dispose();
  });
});

test("older names of files, and files without the pooler", async () => {
  const source = await openWeights(fixture("models/bert"));
  const config = fixtureJson("models/bert/config.json");
  const inputIds = tensor(Int32Array.of(3, 14, 15, 92), { shape: [1, 4] });
  const whole = (await BERT.load(config, source)).forward({ inputIds });
  const old = await BERT.load(
    config,
    renamed(source, (name) => `bert.${name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")}`),
  );
  expect(await worstError(old.forward({ inputIds }).poolerOutput!, whole.poolerOutput!)).toBe(0);
  const bare = await BERT.load(
    config,
    renamed(source, (name) => (name.startsWith("pooler.") ? undefined : name)),
  );
  const output = bare.forward({ inputIds });
  expect(output.poolerOutput).toBeUndefined();
  expect(await worstError(output.lastHiddenState, whole.lastHiddenState)).toBe(0);
  expect(bare.layers().some(({ path }) => path === "pooler.dense")).toBe(false);
  await source.close();
});

test("inputs that do not fit, and the loader of another kind of model, are named", async () => {
  const model = await loadPretrainedEncoder(fixture("models/bert"));
  const ids = (length: number): Tensor => tensor(new Int32Array(length), { shape: [1, length] });
  expect(() => model.forward({ inputIds: ids(65) })).toThrow("65 tokens, the model has 64 positions");
  expect(() => model.forward({ inputIds: ids(4), tokenTypeIds: ids(5) })).toThrow("tokenTypeIds is [1,5], expected [1,4]");
  await expect(loadPretrained(fixture("models/bert"))).rejects.toMatchObject({
    kind: "unsupported-model",
    hint: "an encoder is loaded by loadEncoder",
  });
  await expect(loadPretrainedEncoder(fixture("models/gpt2"))).rejects.toMatchObject({
    hint: "a causal language model is loaded by loadCausalLM",
  });
});
