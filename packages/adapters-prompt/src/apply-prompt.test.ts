import { concat, ConfigError, gradients, mul, reshape, ShapeError, sin, sum, tensor, type Tensor } from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import {
  CARTRIDGE,
  CPT,
  initPrompt,
  MULTITASK_PROMPT_TUNING,
  P_TUNING,
  prefixFromKeyValues,
  PREFIX_TUNING,
  promptConfig,
} from "./index.js";
import { PROMPT_TUNING, promptLabels, promptOf, type PromptConfigFields, type PromptMethod, withPrompt } from "./index.js";
import { FIXTURE, unpack, unpackAll } from "./testing.js";

const MODEL = { hiddenSize: 8, layers: 2, heads: 4, keyValueHeads: 2, headDim: 2 };
const ints = (rows: readonly (readonly number[])[]): Tensor =>
  tensor(Int32Array.from(rows.flat()), { shape: [rows.length, rows[0]!.length] });
const inputs = {
  inputIds: ints([[7, 8, 9]]),
  attentionMask: ints([[0, 1, 1]]),
  positionIds: ints([[0, 0, 1]]),
};
const list = async (t: Tensor | undefined): Promise<number[] | undefined> => t && [...(await t.data())];

describe("a prompt in front of the input", () => {
  it("of embeddings: ones before the mask, also before padding; positions are left to the model; no labels", async () => {
    const config = promptConfig(PROMPT_TUNING, { numVirtualTokens: 2 }, MODEL);
    const prompt = promptOf(PROMPT_TUNING, config, PROMPT_TUNING.encode(await initPrompt(PROMPT_TUNING, config), config));
    const { virtualTokens, pastKeyValues, attentionMask, positionIds } = withPrompt(prompt, inputs);
    expect(virtualTokens!.shape).toEqual([1, 2, 8]);
    expect(pastKeyValues).toBeUndefined();
    expect(await list(attentionMask)).toEqual([1, 1, 0, 1, 1]);
    expect(positionIds).toBeUndefined();
    expect(await list(promptLabels(prompt, ints([[4, -100, 5]])))).toEqual([-100, -100, 4, -100, 5]);
  });

  it("of keys and values: ones before the mask; positions are shifted; labels stay", async () => {
    const config = promptConfig(PREFIX_TUNING, { num_virtual_tokens: 2 }, MODEL);
    const prompt = promptOf(PREFIX_TUNING, config, PREFIX_TUNING.encode(await initPrompt(PREFIX_TUNING, config), config));
    const { virtualTokens, pastKeyValues, attentionMask, positionIds } = withPrompt(prompt, inputs);
    expect(pastKeyValues!.map(({ key, value }) => `${key.shape} ${value.shape}`)).toEqual(["1,2,2,2 1,2,2,2", "1,2,2,2 1,2,2,2"]);
    expect(virtualTokens).toBeUndefined();
    expect(await list(attentionMask)).toEqual([1, 1, 0, 1, 1]);
    expect(await list(positionIds)).toEqual([2, 2, 3]);
    expect(await list(promptLabels(prompt, ints([[4, 5, 6]])))).toEqual([4, 5, 6]);
  });

  it("leaves out what the inputs leave out, and keeps what is not its business", async () => {
    const config = promptConfig(CARTRIDGE, { numVirtualTokens: 2 }, MODEL);
    const prompt = promptOf(CARTRIDGE, config, CARTRIDGE.encode(await initPrompt(CARTRIDGE, config), config));
    const changed = withPrompt(prompt, { inputIds: inputs.inputIds, positions: 9 });
    expect(changed.attentionMask).toBeUndefined();
    expect(changed.positionIds).toBeUndefined();
    expect(changed.positions).toBe(9);
  });

  it("keys and values of a cache come back from the prefix made of them", async () => {
    const config = promptConfig(CARTRIDGE, { numVirtualTokens: 3 }, MODEL);
    const saved = CARTRIDGE.encode(await initPrompt(CARTRIDGE, config, { seed: 3 }), config);
    const { pastKeyValues } = promptOf(CARTRIDGE, config, saved);
    expect(await list(prefixFromKeyValues(pastKeyValues!, 3))).toEqual(await list(saved["prompt_embeddings"]));
    const longer = pastKeyValues!.map(({ key, value }) => ({ key: concat([key, key], 2), value: concat([value, value], 2) }));
    expect(await list(prefixFromKeyValues(longer, 3))).toEqual(await list(saved["prompt_embeddings"]));
    expect(() => prefixFromKeyValues(pastKeyValues!, 4)).toThrow(ShapeError);
  });
});

/** Central differences of Σ prompt·sin(j), two entries of each parameter. */
async function checkSlopes<C extends PromptConfigFields>(method: PromptMethod<C>, values: object, tasks?: Tensor): Promise<void> {
  const config = promptConfig(method, { numVirtualTokens: 3, taskType: "CAUSAL_LM", ...values }, MODEL);
  const params = await initPrompt(method, config, { seed: 5, wordEmbeddings: unpack(FIXTURE.wordEmbeddings) });
  const loss = (p: typeof params): Tensor => {
    const { virtualTokens, pastKeyValues } = promptOf(method, config, method.encode(p, config), tasks ? { tasks } : {});
    const all = virtualTokens ? [virtualTokens] : pastKeyValues!.flatMap(({ key, value }) => [key, value]);
    const flat = concat(all.map((t) => reshape(t, [-1])));
    return sum(mul(flat, sin(tensor(Float32Array.from({ length: flat.size }, (_, i) => i)))));
  };
  const names = Object.entries(method.parameters(config)).flatMap(([name, { trainable }]) => (trainable ? [name] : []));
  const grads = gradients(
    loss(params),
    names.map((name) => params[name]!),
  );
  for (const [n, name] of names.entries()) {
    const start = (await params[name]!.data()) as Float32Array;
    const slope = await grads[n]!.data();
    for (const i of [0, start.length - 1]) {
      const at = (d: number): Promise<number> =>
        loss({
          ...params,
          [name]: tensor(
            start.map((v, k) => (k === i ? v + d : v)),
            { shape: params[name]!.shape },
          ),
        }).item();
      const measured = ((await at(1 / 64)) - (await at(-1 / 64))) / (1 / 32);
      // A sum of the order of 10 with 24 bits over a step of 2⁻⁵, plus the third derivative of tanh and σ times 2⁻¹².
      expect(Math.abs(slope[i]! - measured), `${name}[${i}]`).toBeLessThan(1e-3);
    }
  }
}

describe("gradients equal finite differences", () => {
  it.each<[string, () => Promise<void>]>([
    ["prompt tuning", () => checkSlopes(PROMPT_TUNING, {})],
    ["p-tuning, MLP", () => checkSlopes(P_TUNING, { encoderHiddenSize: 5 })],
    ["p-tuning, LSTM", () => checkSlopes(P_TUNING, { encoderHiddenSize: 3, encoderReparameterizationType: "LSTM" })],
    ["prefix tuning", () => checkSlopes(PREFIX_TUNING, {})],
    ["prefix tuning, projection", () => checkSlopes(PREFIX_TUNING, { prefixProjection: true, encoderHiddenSize: 5 })],
    ["multitask", () => checkSlopes(MULTITASK_PROMPT_TUNING, { numTasks: 2, numRanks: 2 }, tensor(Int32Array.of(1, 0)))],
    ["cartridge", () => checkSlopes(CARTRIDGE, {})],
    // Types that move, and δ inside its ball, where the projection is the identity.
    [
      "CPT",
      () =>
        checkSlopes(CPT, { cptTokenIds: [1, 2, 3], cptTokensTypeMask: [1, 2, 3], optProjectionEpsilon: 9, optProjectionFormatEpsilon: 9 }),
    ],
  ])("%s", (_, check) => check());
});

it("CPT keeps each δ within its ε, and labels where they are", async () => {
  const fixture = FIXTURE.cases.find(({ name }) => name === "CPT")!;
  const config = promptConfig(CPT, fixture.config);
  const params = unpackAll(fixture.params);
  const projected = CPT.project!(params, config);
  const delta = await projected["delta_embedding.weight"]!.data();
  const lengths = config.cptTokensTypeMask.map((_, i) => Math.hypot(...delta.slice(i * 8, i * 8 + 8)));
  const [format, input] = [0.1, 4].map((eps) => eps * Math.sqrt(8 / 2048)) as [number, number];
  [format, input, format, 1e-10, input].forEach((bound, i) => expect(lengths[i]! / bound).toBeLessThanOrEqual(1 + 1e-6));
  const once = await CPT.encode(params, config)["prompt_embeddings"]!.data();
  const twice = await CPT.encode(projected, config)["prompt_embeddings"]!.data();
  once.forEach((v, i) => expect(Math.abs(v - twice[i]!)).toBeLessThan(1e-6));
});

it("dropout is applied between the layers of the LSTM, not behind the last", async () => {
  const config = promptConfig(P_TUNING, { numVirtualTokens: 2, encoderReparameterizationType: "LSTM", encoderHiddenSize: 3 }, MODEL);
  const shapes: (readonly number[])[] = [];
  P_TUNING.encode(await initPrompt(P_TUNING, config), config, (x) => (shapes.push(x.shape), x));
  expect(shapes).toEqual([[2, 6]]);
});

describe("refusals say what is wrong", () => {
  it.each<[string, () => unknown, string]>([
    ["no size", () => promptConfig(PROMPT_TUNING, { tokenDim: 8 }), "num_virtual_tokens is missing"],
    [
      "no layers",
      () => promptConfig(PREFIX_TUNING, { num_virtual_tokens: 2, token_dim: 8, num_attention_heads: 2 }),
      "num_layers is missing",
    ],
    [
      "uneven heads",
      () => promptConfig(PREFIX_TUNING, { num_virtual_tokens: 2, token_dim: 7, num_layers: 1, num_attention_heads: 2 }),
      "7 does not split into 2",
    ],
    [
      "text without tokenizer",
      () => promptConfig(PROMPT_TUNING, { numVirtualTokens: 1, promptTuningInit: "TEXT" }, MODEL),
      "needs tokenizer_name_or_path",
    ],
    [
      "arguments of no tokenizer",
      () => promptConfig(PROMPT_TUNING, { numVirtualTokens: 1, tokenizerKwargs: { a: 1 } }, MODEL),
      "tokenizer_kwargs",
    ],
    [
      "unknown init",
      () => promptConfig(PROMPT_TUNING, { numVirtualTokens: 1, promptTuningInit: "ZERO" }, MODEL),
      'prompt_tuning_init is "ZERO"',
    ],
    [
      "frozen beyond all",
      () => promptConfig(CARTRIDGE, { numVirtualTokens: 2, numFrozenTokens: 3 }, MODEL),
      "more than num_virtual_tokens",
    ],
    ["CPT elsewhere", () => promptConfig(CPT, { taskType: "SEQ_CLS" }, MODEL), 'expected "CAUSAL_LM"'],
    ["CPT uneven", () => promptConfig(CPT, { taskType: "CAUSAL_LM", cptTokenIds: [1, 2], cptMask: [1] }, MODEL), "cpt_mask 1"],
  ])("%s", (_, run, message) => {
    expect(run).toThrow(ConfigError);
    expect(run).toThrow(message);
  });

  it("a tensor of another shape, a missing one, and a task that is not given", () => {
    const config = promptConfig(MULTITASK_PROMPT_TUNING, { numVirtualTokens: 2 }, MODEL);
    const saved = {
      prompt_embeddings: tensor(new Float32Array(16), { shape: [2, 8] }),
      prefix_task_cols: tensor(new Float32Array(2), { shape: [1, 2, 1] }),
      prefix_task_rows: tensor(new Float32Array(8), { shape: [1, 1, 8] }),
    };
    expect(() => promptOf(MULTITASK_PROMPT_TUNING, config, saved)).toThrow("needs the task of each row");
    const { prompt_embeddings: embeddings, ...rest } = saved;
    expect(() => promptOf(MULTITASK_PROMPT_TUNING, config, rest)).toThrow("prompt_embeddings is missing, expected [2,8]");
    expect(() => promptOf(MULTITASK_PROMPT_TUNING, config, { ...saved, prompt_embeddings: reshape(embeddings, [4, 4]) })).toThrow(
      "is [4,4], expected [2,8]",
    );
  });

  it("a start from what is not there", async () => {
    const config = promptConfig(PROMPT_TUNING, { numVirtualTokens: 1, promptTuningInit: "SAMPLE_VOCAB" }, MODEL);
    await expect(initPrompt(PROMPT_TUNING, config)).rejects.toThrow("word embeddings");
    const text = promptConfig(
      PROMPT_TUNING,
      { numVirtualTokens: 1, promptTuningInit: "TEXT", promptTuningInitText: "a", tokenizerNameOrPath: "b" },
      MODEL,
    );
    await expect(initPrompt(PROMPT_TUNING, text)).rejects.toThrow("token ids of prompt_tuning_init_text");
    const words = unpack(FIXTURE.wordEmbeddings);
    await expect(initPrompt(PROMPT_TUNING, text, { textIds: [32], wordEmbeddings: words })).rejects.toThrow(
      "token 32 is not in the vocabulary of 32",
    );
    const multi = promptConfig(
      MULTITASK_PROMPT_TUNING,
      { numVirtualTokens: 3, promptTuningInit: "EXACT_SOURCE_TASK", numTasks: 2, numRanks: 2 },
      MODEL,
    );
    await expect(initPrompt(MULTITASK_PROMPT_TUNING, multi)).rejects.toThrow("trained before");
    await expect(initPrompt(MULTITASK_PROMPT_TUNING, multi, { saved: unpackAll(FIXTURE.source) })).rejects.toThrow(
      "gives [1,3,2], the config asks for [2,3,2]",
    );
  });
});
