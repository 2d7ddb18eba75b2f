import { readTensor } from "@weft/adapter-files";
import { openWeights } from "@weft/io-safetensors/node";
import { LORA_METHODS } from "@weft/methods";
import { BERT_FOR_SEQUENCE_CLASSIFICATION, BERT_FOR_TOKEN_CLASSIFICATION, type BertClassifier, withNewHead } from "@weft/models";
import { loadPretrained, loadPretrainedEncoder } from "@weft/models/node";
import { getPeftModel, stateDict } from "@weft/registry";
import { loadPeftModel } from "@weft/registry/node";
import { div, evaluate, type Tensor, valueAndGrad } from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { device, fixture, gap, jsonFixture, tensorsOf } from "../testing/fixtures.js";
import type { Batch } from "../train/batch.js";
import { fullModel } from "../train/full-model.js";
import { passOf } from "../train/pass.js";
import { train } from "../train/train.js";
import { CLASSIFICATION, REGRESSION } from "./heads.js";
import type { BatchTensors } from "./objective.js";

const HEADS = [
  ["sequence", BERT_FOR_SEQUENCE_CLASSIFICATION, CLASSIFICATION, "SEQ_CLS"],
  ["regression", BERT_FOR_SEQUENCE_CLASSIFICATION, REGRESSION, "SEQ_CLS"],
  ["token", BERT_FOR_TOKEN_CLASSIFICATION, CLASSIFICATION, "TOKEN_CLS"],
] as const;

/** The rows of a tensor as a batch has them. */
async function rowsOf(t: Tensor): Promise<number[][] | number[]> {
  const values = Array.from(await t.data());
  const [rows, length] = t.shape as [number, number | undefined];
  return length === undefined ? values : Array.from({ length: rows }, (_, i) => values.slice(i * length, (i + 1) * length));
}

describe.each(HEADS)("a BERT with a head: %s", (name, architecture, objective, task) => {
  const load = (): Promise<BertClassifier> => loadPretrained(fixture("heads", name), { architecture, device });
  const expected = jsonFixture<{ readonly loss: number; readonly losses: readonly number[]; readonly modules_to_save: string[] }>(
    "heads",
    name,
    "expect.json",
  );

  it("has the logits, the loss and the gradients of transformers", async () => {
    const ref = await tensorsOf(fixture("heads", name, "ref.safetensors"));
    const model = await load();
    const batch: BatchTensors = { inputIds: ref.get("input_ids")!, attentionMask: ref.get("attention_mask")!, labels: ref.get("labels")! };
    const { labels: _, ...inputs } = batch;
    expect(await gap(model.forward(inputs as never).logits, ref.get("logits")!)).toBeLessThan(1e-5);
    const whole = fullModel(model as never);
    const { value, grads } = valueAndGrad((p: ReturnType<typeof whole.parameters>) => {
      const { sum, weight } = objective.loss(passOf(whole.withParameters(p), { dropoutKey: null }), batch);
      return div(sum, weight);
    })(whole.parameters());
    const names = [...ref.keys()].filter((key) => key.startsWith("grad."));
    expect(names).toHaveLength(3);
    await evaluate(value, ...names.map((key) => grads.replaced[key.slice("grad.".length)]!));
    expect(await value.item()).toBeCloseTo(expected.loss, 5);
    for (const key of names) expect(await gap(grads.replaced[key.slice("grad.".length)]!, ref.get(key)!)).toBeLessThan(1e-5);
  });

  it("trains with a LoRA as PEFT does, its head as a whole, and opens what PEFT has trained", async () => {
    const ref = await tensorsOf(fixture("heads", name, "ref.safetensors"));
    const config = { peft_type: "LORA", r: 2, lora_alpha: 16, target_modules: ["query", "value"], task_type: task };
    const peft = await getPeftModel(await load(), config, { methods: LORA_METHODS, seed: 0 });
    const parameters = stateDict(peft.state("default"));
    const started = [...ref].filter(([key]) => key.startsWith("start."));
    expect(started.length).toBeGreaterThan(4);
    for (const [key, t] of started) {
      const own = parameters.get(key.slice("start.".length).replace(".modules_to_save", ""));
      expect(await gap(own!, t)).toBeLessThan(1e-6);
    }
    const batch = {
      inputIds: await rowsOf(ref.get("input_ids")!),
      attentionMask: await rowsOf(ref.get("attention_mask")!),
      labels: await rowsOf(ref.get("labels")!),
    } as Batch;
    const losses: number[] = [];
    const options = { maxSteps: 6, learningRate: 1e-2, lrSchedulerType: "constant", objective };
    for await (const { loss } of train(peft as never, [batch], options)) losses.push(loss);
    losses.forEach((loss, i) => expect(Math.abs(loss - expected.losses[i]!)).toBeLessThan(1e-4));
    const theirs = await loadPeftModel(await load(), fixture("heads", name, "adapter"), { methods: LORA_METHODS });
    const source = await openWeights(fixture("heads", name, "adapter", "adapter_model.safetensors"));
    const own = stateDict(peft.state("default"));
    expect([...own.keys()].toSorted()).toEqual([...source.names()].toSorted());
    for (const key of source.names()) expect(await gap(own.get(key)!, await readTensor(source, key, { device }))).toBeLessThan(2e-3);
    await source.close();
    const inputs = { inputIds: ref.get("input_ids")!, attentionMask: ref.get("attention_mask")! };
    const [a, b] = [theirs, peft].map((one) => (one.forward(inputs as never) as { readonly logits: Tensor }).logits);
    expect(await gap(a!, b!)).toBeLessThan(2e-2);
  });
});

it("an encoder gets a new head, with a pooler if it has none; without one it says what to do", async () => {
  const encoder = await loadPretrainedEncoder(fixture("models", "bert"), { device });
  const model = withNewHead(encoder, { head: "token", numLabels: 3, seed: 1 });
  const inputIds = device.tensor(Int32Array.from([5, 6, 7, 8]), { shape: [2, 2] });
  expect(model.forward({ inputIds }).logits.shape).toEqual([2, 2, 3]);
  expect(await gap(model.forward({ inputIds }).lastHiddenState, encoder.forward({ inputIds }).lastHiddenState)).toBe(0);
  const bare = new (encoder.constructor as typeof import("@weft/models").BertModel)(
    encoder.config,
    new Map([...encoder.weights].filter(([name]) => !name.startsWith("pooler."))),
  );
  const pooled = withNewHead(bare, { head: "sequence", numLabels: 2, seed: 1 });
  expect(pooled.forward({ inputIds }).logits.shape).toEqual([2, 2]);
  const weights = Array.from(await pooled.weights.get("classifier.weight")!.data());
  expect(Math.max(...weights.map(Math.abs))).toBeLessThan(0.02 * 5);
  expect(new Set(weights).size).toBeGreaterThan(60);
  expect(() => CLASSIFICATION.loss(passOf(fullModel(encoder as never), { dropoutKey: null }), { inputIds, labels: inputIds })).toThrow(
    "gives no logits",
  );
});
