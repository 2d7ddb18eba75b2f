import { forwardBase, iota, ones, reshape, rope, slice, tensor, type Tensor, transpose, zeros } from "@weft/tensor-core";
import { beforeAll, describe, expect, test } from "vitest";
import type { LayerHook } from "../hooks.js";
import { loadPretrained } from "../node/load-pretrained.js";
import { fixture, worstError } from "../testing.js";
import type { KeyValues } from "./inputs.js";
import { LLAMA, type LlamaForCausalLM } from "../llama/llama.js";
import { ropeFrequencies, ropeTables } from "../llama/rope.js";

const row = [3, 14, 15, 92, 65, 35, 8, 9, 7, 31];
const ids = tensor(Int32Array.from([...row, ...row.toReversed()]), { shape: [2, 10] });
const PAST = 3;
const [first, rest] = [slice(ids, [undefined, [0, PAST]]), slice(ids, [undefined, [PAST, 10]])];
/** One order of summation for another. */
const TOLERANCE = 1e-6;

/** Keys and values of a pass over `inputIds`, taken from the layers' results. */
function keyValuesOf(model: LlamaForCausalLM, inputIds: Tensor): KeyValues[] {
  const { config } = model;
  const seen = new Map<string, Tensor>();
  const keep: LayerHook = (path, layer, base, x) => {
    const y = forwardBase(layer, base, x);
    seen.set(path, y);
    return y;
  };
  model.forward({ inputIds }, keep);
  const tables = ropeTables(ropeFrequencies(config, 10), iota([1, PAST], 1), "f32");
  const heads = (t: Tensor): Tensor => transpose(reshape(t, [2, PAST, config.keyValueHeads, config.headDim]), [0, 2, 1, 3]);
  return Array.from({ length: config.layers }, (_, i) => {
    const path = `model.layers.${i}.self_attn`;
    const key = seen.get(`${path}.k_norm`) ?? seen.get(`${path}.k_proj`)!;
    return { key: rope(heads(key), tables.cosine, tables.sine), value: heads(seen.get(`${path}.v_proj`)!) };
  });
}

describe.each(["llama", "mistral_window", "qwen3"])("%s", (name) => {
  let model: LlamaForCausalLM;
  let whole: Tensor;
  beforeAll(async () => {
    model = await loadPretrained(fixture(`models/${name}`), { architecture: LLAMA });
    whole = model.forward({ inputIds: ids }).logits;
  });

  test("virtual tokens that are the embeddings of tokens do what the tokens do", async () => {
    const virtualTokens = model.forward({ inputIds: first }).hiddenStates[0]!;
    const { logits, hiddenStates } = model.forward({ inputIds: rest, virtualTokens });
    expect(await worstError(logits, whole)).toBeLessThan(TOLERANCE);
    expect(hiddenStates[0]!.shape).toEqual([2, 10, model.config.hiddenSize]);
  });

  test("keys and values of the past stand for the tokens that they come from", async () => {
    const pastKeyValues = keyValuesOf(model, first);
    const want = slice(whole, [undefined, [PAST, 10]]);
    expect(await worstError(model.forward({ inputIds: rest, pastKeyValues }).logits, want)).toBeLessThan(TOLERANCE);
    const masked = model.forward({ inputIds: rest, pastKeyValues, attentionMask: ones([2, 10], "i32") });
    expect(await worstError(masked.logits, want)).toBeLessThan(TOLERANCE);
  });
});

test("what does not fit in front is refused with what would fit", async () => {
  const model = await loadPretrained(fixture("models/llama"), { architecture: LLAMA });
  const { layers, hiddenSize, keyValueHeads, headDim } = model.config;
  const run = (inputs: object) => (): unknown => model.forward({ inputIds: rest, ...inputs });
  expect(run({ virtualTokens: zeros([1, 3, hiddenSize + 1]) })).toThrow(`expected [2 or 1, any, ${hiddenSize}]`);
  expect(run({ attentionMask: ones([2, 7], "i32"), virtualTokens: zeros([1, 3, hiddenSize]) })).toThrow("expected [2,10]");
  const past = { key: zeros([1, keyValueHeads, 3, headDim]), value: zeros([1, keyValueHeads, 3, headDim]) };
  expect(run({ pastKeyValues: Array(layers + 1).fill(past) })).toThrow(`the model has ${layers}`);
  const wide = { ...past, value: zeros([1, keyValueHeads, 3, headDim + 2]) };
  expect(run({ pastKeyValues: Array(layers).fill(wide) })).toThrow(`expected [2 or 1, ${keyValueHeads}, past, ${headDim}]`);
});
