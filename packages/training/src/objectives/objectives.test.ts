import { LORA_METHODS } from "@weft/methods";
import type { CausalInputs, CausalOutput } from "@weft/models";
import { loadPretrained, loadPretrainedEncoder } from "@weft/models/node";
import { type AdapterParameters, getPeftModel, type PeftModel, stateDict } from "@weft/registry";
import { loadPeftModel } from "@weft/registry/node";
import {
  compile,
  div,
  evaluate,
  flattenTree,
  iota,
  mul,
  reshape,
  slice,
  sum,
  type Tensor,
  tensor,
  valueAndGrad,
  zeros,
} from "@weft/tensor-core";
import { beforeAll, describe, expect, it } from "vitest";
import { causalLoss } from "../losses/causal.js";
import { classificationLoss, mseLoss } from "../losses/classification.js";
import { cosineSimilarityLoss, multipleNegativesRankingLoss } from "../losses/contrastive.js";
import { headless, headPath } from "../losses/headless.js";
import { device, fixture, gap, jsonFixture, SMALL_LORA, tensorsOf } from "../testing/fixtures.js";
import { passOf } from "../train/pass.js";
import { distillation } from "./distillation.js";
import { dpo } from "./dpo.js";
import { contrastive } from "./embeddings.js";
import { kto } from "./kto.js";
import type { BatchTensors, Objective } from "./objective.js";
import { orpo } from "./orpo.js";
import { SFT } from "./sft.js";

const { losses } = jsonFixture<{ readonly losses: { readonly [name: string]: number } }>("objectives", "expect.json");

let peft: PeftModel<CausalInputs, CausalOutput>;
let ref: Map<string, Tensor>;
let sampled: Map<string, Tensor>;
beforeAll(async () => {
  const model = await loadPretrained(fixture("models", "llama"), { device });
  peft = await loadPeftModel<CausalInputs, CausalOutput>(model, fixture("models", "train_llama", "final"), { methods: LORA_METHODS });
  ref = await tensorsOf(fixture("objectives", "ref.safetensors"));
  sampled = await tensorsOf(fixture("models", "train_llama", "ref.safetensors"));
});

const camel = (name: string): string => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
const batchOf = (prefix: string): BatchTensors =>
  Object.fromEntries([...ref].filter(([name]) => name.startsWith(prefix)).map(([name, t]) => [camel(name.slice(prefix.length)), t]));
const lossOf = (objective: Objective, batch: BatchTensors, p: AdapterParameters, lossChunkTokens?: number): Tensor => {
  const { sum: total, weight } = objective.loss(passOf(peft.withParameters(p), { dropoutKey: null, lossChunkTokens }), batch);
  return div(total, weight);
};
describe.each([
  ["dpo_sigmoid", () => dpo({ beta: 0.3 }), "pairs."],
  ["dpo_hinge", () => dpo({ beta: 0.3, lossType: "hinge" }), "pairs."],
  ["dpo_ipo", () => dpo({ beta: 0.3, lossType: "ipo" }), "pairs."],
  ["orpo", () => orpo({ beta: 0.3 }), "pairs."],
  ["kto", () => kto({ beta: 0.3, undesirableWeight: 1.3 }), "kto."],
] as const)("%s", (name, objective, prefix) => {
  it.each([undefined, 5])("has the loss and the gradients of TRL, in pieces of %s tokens", async (chunk) => {
    const { value, grads } = valueAndGrad((p: AdapterParameters) => lossOf(objective(), batchOf(prefix), p, chunk))(peft.parameters());
    await evaluate(value, ...flattenTree(grads).leaves);
    expect(Math.abs((await value.item()) - losses[name]!)).toBeLessThan(2e-6 * losses[name]!);
    const named = stateDict(peft.withParameters(grads).state("default"));
    expect(named.size).toBeGreaterThan(0);
    for (const [key, grad] of named) expect(await gap(grad, ref.get(`${name}.grad.${key}`)!)).toBeLessThan(1e-5);
  });
});

describe("supervised fine-tuning", () => {
  const batch = (): BatchTensors => ({ inputIds: first("input_ids"), labels: first("labels") });
  const first = (name: string): Tensor => {
    const all = sampled.get(name)!;
    return slice(all, [[0, 1]]).shape.length === 3 ? flat(slice(all, [[0, 1]])) : all;
  };
  const flat = (t: Tensor): Tensor => sum(t, { axes: [0] });

  it("is the mean over kept labels, in pieces as in one, gradients too", async () => {
    const [whole, pieces] = [undefined, 3].map((chunk) =>
      valueAndGrad((p: AdapterParameters) => lossOf(SFT, batch(), p, chunk))(peft.parameters()),
    );
    const [a, b] = [flattenTree(whole!.grads).leaves, flattenTree(pieces!.grads).leaves];
    await evaluate(whole!.value, pieces!.value, ...a, ...b);
    expect(Math.abs((await whole!.value.item()) - (await pieces!.value.item()))).toBeLessThan(1e-6);
    for (const [i, leaf] of a.entries()) expect(await gap(leaf, b[i]!)).toBeLessThan(1e-6);
  });

  it("is 0 and has no gradient where no label is kept", async () => {
    const none = { ...batch(), labels: mul(iota(batch()["labels"]!.shape, 0), 0) };
    const ignored = { ...none, labels: tensor(new Int32Array(none.labels.size).fill(-100), { shape: none.labels.shape }) };
    const { value, grads } = valueAndGrad(
      (p: AdapterParameters) => SFT.loss(passOf(peft.withParameters(p), { dropoutKey: null }), ignored).sum,
    )(peft.parameters());
    await evaluate(value, ...flattenTree(grads).leaves);
    expect(await value.item()).toBe(0);
    for (const leaf of flattenTree(grads).leaves) expect(await gap(leaf, zeros(leaf.shape))).toBe(0);
  });

  it("smooths labels as torch, whose ignored labels count for nothing", async () => {
    const golden = await tensorsOf(fixture("models", "sampling.safetensors"));
    const [logits, labels] = [golden.get("ce_logits")!, golden.get("ce_labels")!];
    for (const smoothing of [0, 0.1]) {
      const { value, grads } = valueAndGrad((x: Tensor) => {
        const loss = classificationLoss(x, labels, smoothing);
        return div(loss.sum, loss.weight);
      })(logits);
      const tag = smoothing.toFixed(1);
      expect(await gap(value, golden.get(`ce_${tag}`)!)).toBeLessThan(1e-6);
      expect(await gap(grads, golden.get(`ce_grad_${tag}`)!)).toBeLessThan(1e-6);
    }
  });

  it("holds the logits of a piece, never all: the peak falls by what they take", async () => {
    const [rows, length, vocabulary] = [4, 64, 96];
    const ids = iota([rows, length], 1);
    const peak = async (lossChunkTokens: number): Promise<number> => {
      const step = compile(
        (p: AdapterParameters) =>
          valueAndGrad((q: AdapterParameters) => {
            const wide = 64;
            const pass = headless((inputs, hook) => peft.withParameters(q).forward(inputs as never, { hook }), headPath(peft.baseModel), {
              inputIds: ids,
            });
            // A vocabulary 64 times as large as the model's: the output layer's rows over and over.
            const head = (x: Tensor): Tensor => tiled(pass.head(x), wide);
            return causalLoss({ ...pass, head }, ids, { lossChunkTokens }).sum;
          })(p),
        { device },
      );
      const bound = await step.prepare(peft.parameters());
      const { peakBytes } = bound.executable.plan;
      step.dispose();
      return peakBytes;
    };
    const all = rows * (length - 1) * vocabulary * 64 * 4;
    const [whole, pieces] = [await peak(rows * length), await peak(16)];
    expect(whole).toBeGreaterThan(all);
    expect(pieces).toBeLessThan(whole - 0.8 * all);
  });
});

/** Logits [n, v] as [n, times · v], each part a little other, so that nothing is the same twice. */
function tiled(logits: Tensor, times: number): Tensor {
  const v = logits.shape.at(-1)!;
  const factors = Float32Array.from({ length: times }, (_, i) => 1 + i / times);
  return reshape(mul(reshape(logits, [-1, 1, v]), tensor(factors, { shape: [1, times, 1] })), [...logits.shape.slice(0, -1), times * v]);
}

it("distillation is 0 for an adapter that changes nothing, and the labels' cross-entropy where the teacher has no share", async () => {
  const model = await loadPretrained(fixture("models", "llama"), { device });
  const fresh = await getPeftModel(model, SMALL_LORA, { methods: LORA_METHODS, seed: 0 });
  const batch = { inputIds: ref.get("pairs.input_ids")!, labels: ref.get("pairs.labels")! };
  const value = async (objective: Objective, of: PeftModel<never, unknown>): Promise<number> => {
    const { sum: total, weight } = objective.loss(passOf(of, { dropoutKey: null }), batch);
    return div(total, weight).item();
  };
  expect(Math.abs(await value(distillation({ alpha: 1 }), fresh as never))).toBeLessThan(1e-6);
  expect(await value(distillation({ alpha: 1 }), peft as never)).toBeGreaterThan(0.01);
  expect(Math.abs((await value(distillation({ alpha: 0 }), peft as never)) - (await value(SFT, peft as never)))).toBeLessThan(1e-6);
});

it("losses of sentences are those of sentence-transformers", async () => {
  const [a, p, n, scores] = ["anchors", "positives", "negatives", "scores"].map((name) => ref.get(`sentences.${name}`)!) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const value = ({ sum: total, weight }: { readonly sum: Tensor; readonly weight: Tensor }): Promise<number> => div(total, weight).item();
  expect(await value(multipleNegativesRankingLoss(a, p))).toBeCloseTo(losses["ranking"]!, 5);
  expect(await value(multipleNegativesRankingLoss(a, p, { negatives: n }))).toBeCloseTo(losses["ranking_negatives"]!, 5);
  expect(await value(cosineSimilarityLoss(a, p, scores))).toBeCloseTo(losses["cosine"]!, 5);
  expect(await value(mseLoss(tensor([1, 2]), tensor([3, 2])))).toBe(2);
});

it("an encoder trains by pairs of texts, and says that it has no logits where they are asked for", async () => {
  const model = await loadPretrainedEncoder(fixture("models", "bert"), { device });
  const encoder = await getPeftModel(model, SMALL_LORA, { methods: LORA_METHODS, seed: 0 });
  const inputIds = tensor(
    Int32Array.from({ length: 16 }, (_, i) => i + 5),
    { shape: [4, 4] },
  );
  const pass = passOf(encoder as never, { dropoutKey: null });
  const { sum: total, weight } = contrastive().loss(pass, {
    inputIds,
    attentionMask: tensor(new Int32Array(16).fill(1), { shape: [4, 4] }),
  });
  expect(await div(total, weight).item()).toBeGreaterThan(0);
  expect(() => SFT.loss(pass, { inputIds, labels: inputIds })).toThrow("no layer that gives logits");
});

it.each([
  [() => dpo({ beta: 0 }), "beta is 0"],
  [() => dpo({ lossType: "kl" as never }), 'lossType is "kl"'],
  [() => distillation({ temperature: 0 }), "temperature is 0"],
  [
    () => dpo().loss(passOf(peft as never, { dropoutKey: null }), { inputIds: iota([3, 4], 1), labels: iota([3, 4], 1) }),
    "3 rows, expected an even number",
  ],
  [() => SFT.loss(passOf(peft as never, { dropoutKey: null }), { inputIds: iota([3, 4], 1), labels: iota([2, 4], 1) }), "labels are [2,4]"],
  [
    () => SFT.loss(passOf(peft as never, { dropoutKey: null, lossChunkTokens: 0 }), { inputIds: iota([3, 4], 1), labels: iota([3, 4], 1) }),
    "lossChunkTokens is 0",
  ],
])("says what is wrong: %s", (call, message) => {
  expect(call).toThrow(message);
});
