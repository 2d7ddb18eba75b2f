import { join } from "node:path";
import { openWeights } from "@weft/io-safetensors/node";
import { beforeAll, describe, expect, it } from "vitest";
import {
  addBit,
  type DrawPlace,
  emptyBitset,
  epsilonCutoff,
  etaCutoff,
  largest,
  logitBias,
  noRepeatNgram,
  processLogits,
  sampler,
  type SamplingOptions,
  suppressTokens,
  topK,
  topP,
  typicalP,
} from "../index.js";

/** Made by fixtures/make_sampling.py: rows of logits as transformers' processors leave them. */
const rows = new Map<string, readonly number[]>();
beforeAll(async () => {
  const source = await openWeights(join(import.meta.dirname, "../../../../fixtures/models/sampling_more.safetensors"));
  for (const name of source.names()) {
    const { data: bytes, dtype } = await source.read(name);
    rows.set(
      name,
      dtype === "I64" ? Array.from(new BigInt64Array(bytes.slice().buffer), Number) : Array.from(new Float32Array(bytes.slice().buffer)),
    );
  }
  await source.close();
});

const row = (name = "logits"): Float32Array => Float32Array.from(rows.get(name)!);
const at = (position: number, seed = 1): DrawPlace => ({ seed, sequence: 0, position });
const NOTHING = { prompt: [], generated: [] };

const CHAINS: readonly (readonly [name: string, change: (row: Float32Array, history: readonly number[]) => void])[] = [
  ["epsilon_cutoff", (l) => epsilonCutoff(l, 3e-4)],
  ["eta_cutoff", (l) => etaCutoff(l, 2e-3)],
  [
    "logit_bias",
    (l) =>
      logitBias(
        l,
        new Map([
          [5, -2.5],
          [1999, 4],
          [17, -100],
          [2000, 1],
        ]),
      ),
  ],
  [
    "min_new_tokens",
    (l, all) => processLogits(l, { prompt: all.slice(20), generated: all.slice(0, 40) }, { minNewTokens: 41, eosTokenId: [3, 1999] }),
  ],
  [
    "min_new_tokens_reached",
    (l, all) => processLogits(l, { prompt: all.slice(40), generated: all.slice(0, 40) }, { minNewTokens: 40, eosTokenId: [3, 1999] }),
  ],
  ["suppress_tokens", (l) => suppressTokens(l, [0, 7, 1998, 2000])],
  ["no_repeat_3gram", (l, all) => noRepeatNgram(l, all, 3)],
  ["tied_top_k_40", (l) => topK(l, 40)],
  ["top_p_0_95", (l) => topP(l, 0.95)],
  ["top_p_0_1", (l) => topP(l, 0.1)],
  ["top_p_1e-6", (l) => topP(l, 1e-6)],
  ["typical_0_2", (l) => typicalP(l, 0.2)],
  ["typical_0_95", (l) => typicalP(l, 0.95)],
  [
    "all_in_order",
    (l, all) =>
      processLogits(
        l,
        { prompt: all.slice(0, 20), generated: all.slice(20) },
        {
          logitBias: { 5: -2.5, 1999: 4, 17: -100 },
          repetitionPenalty: 1.2,
          noRepeatNgramSize: 3,
          minNewTokens: 41,
          eosTokenId: [3, 1999],
          suppressTokens: [0, 7, 1998],
          temperature: 0.8,
          topK: 500,
          topP: 0.97,
          minP: 0.001,
          typicalP: 0.9,
          epsilonCutoff: 1e-4,
          etaCutoff: 1e-4,
        },
      ),
  ],
];

describe("rows are left as transformers leaves them", () => {
  it.each(CHAINS)("%s", (name, change) => {
    const from = name.startsWith("tied") ? "tied" : "logits";
    const [got, want] = [row(from), rows.get(name)!];
    change(got, rows.get("history")!);
    expect(
      got.findIndex((l, i) => Math.abs(l - want[i]!) > 1e-6 * Math.abs(want[i]!) || (l === -Infinity) !== (want[i] === -Infinity)),
    ).toBe(-1);
    expect(got.some((l, i) => l !== rows.get(from)![i])).toBe(name !== "min_new_tokens_reached");
  });
});

it("penalises what was generated as OpenAI does, and nothing of the prompt", () => {
  const logits = Float32Array.of(1, 2, 3, 4);
  processLogits(logits, { prompt: [3, 3], generated: [1, 2, 1, 9] }, { presencePenalty: 0.5, frequencyPenalty: 0.25 });
  expect([...logits]).toEqual([1, 2 - 0.5 - 0.5, 3 - 0.5 - 0.25, 4]);
});

it("keeps of equally likely tokens the first that p needs", () => {
  const logits = new Float32Array(8);
  topP(logits, 0.5);
  expect([...logits]).toEqual([0, 0, 0, 0, ...new Array<number>(4).fill(-Infinity)]);
});

it("finds the largest, of equal ones the first", () => expect([...largest(Float32Array.of(1, 3, 3, 2, 3, 0), 4)]).toEqual([1, 2, 4, 3]));

it("excludes what would repeat a pair that ends with the last token", () => {
  const logits = new Float32Array(3);
  noRepeatNgram(logits, [2, 1, 1], 2);
  expect([...logits]).toEqual([0, -Infinity, 0]);
});

describe("sampler", () => {
  it("takes the likeliest at temperature 0, of equal ones the first, and says its log-probability by the model", () => {
    const best = rows.get("logits")!.indexOf(Math.max(...rows.get("logits")!));
    const { token, logprob, topLogprobs } = sampler({
      temperature: 0,
      topLogprobs: 3,
      logitBias: { [best]: -100, 8: 100, 9: 100 },
      topK: 1,
    })(row(), NOTHING, at(0));
    const logprobs = rows.get("logprobs")!;
    expect(sampler({ temperature: 0 })(Float32Array.of(1, 5, 5, 2), NOTHING, at(0)).token).toBe(1);
    expect([8, 9]).toContain(token);
    expect(logprob).toBeCloseTo(logprobs[token]!, 5);
    const order = logprobs.map((_, i) => i).toSorted((a, b) => logprobs[b]! - logprobs[a]!);
    expect(topLogprobs!.map((one) => one.token)).toEqual(order.slice(0, 3));
    for (const one of topLogprobs!) expect(one.logprob).toBeCloseTo(logprobs[one.token]!, 5);
  });

  it("draws as often as tokens are likely", () => {
    const logits = [2, -1, 0.5, 1.5, -Infinity, 0];
    const options: SamplingOptions = { temperature: 0.7, topP: 0.97 };
    const expected = Float32Array.from(logits);
    processLogits(expected, NOTHING, options);
    const weights = Array.from(expected, Math.exp);
    const total = weights.reduce((a, b) => a + b);
    const counts = new Array<number>(6).fill(0);
    const sample = sampler(options);
    for (let position = 0; position < 5000; position++) counts[sample(Float32Array.from(logits), NOTHING, at(position, 11)).token]!++;
    const kept = weights.flatMap((w, i) => (w > 0 ? [i] : []));
    expect(kept).toEqual([0, 2, 3, 5]);
    expect(kept.reduce((sum, i) => sum + counts[i]!, 0)).toBe(5000);
    // χ² with 3 degrees of freedom: 16.3 is passed once in a thousand.
    expect(
      kept.reduce((sum, i) => sum + (counts[i]! - (5000 * weights[i]!) / total) ** 2 / ((5000 * weights[i]!) / total), 0),
    ).toBeLessThan(16.3);
  });

  it("chooses what a set allows only", () => {
    const allowed = emptyBitset(2000);
    for (const token of [31, 32, 1999]) addBit(allowed, token);
    const drawn = Array.from({ length: 300 }, (_, i) => sampler({ temperature: 5 })(row(), { ...NOTHING, allowed }, at(i)).token);
    expect(new Set(drawn)).toEqual(new Set([31, 32, 1999]));
    expect(() => sampler({ suppressTokens: [31, 32, 1999] })(row(), { ...NOTHING, allowed }, at(7))).toThrow(/no token at position 7/);
  });

  it("refuses options that mean nothing, and logits that are none", () => {
    const refuse = (options: object, message: RegExp): void => {
      expect(() => sampler(options), JSON.stringify(options)).toThrow(message);
    };
    refuse({ temperature: -1 }, /temperature is -1, expected a finite number from 0 on/);
    refuse({ temperature: NaN }, /temperature is NaN/);
    refuse({ topK: 1.5 }, /topK is 1.5, expected a whole number/);
    refuse({ topP: 0 }, /topP is 0, expected a number above 0, up to 1/);
    refuse({ minP: 2 }, /minP/);
    refuse({ repetitionPenalty: 0 }, /repetitionPenalty/);
    refuse({ repetitionpenalty: 1 }, /repetitionpenalty is 1, expected one of temperature, /);
    refuse({ logitBias: { x: 1 } }, /logitBias is NaN, expected a token id/);
    refuse({ logitBias: { 3: "1" } }, /logitBias of token 3 is "1"/);
    refuse({ suppressTokens: [-1] }, /suppressTokens is -1/);
    refuse({ minNewTokens: 3 }, /eosTokenId/);
    expect(() => sampler({})(row(), NOTHING, { seed: -1, sequence: 0, position: 0 })).toThrow(/seed is -1/);
    expect(() => sampler({})(Float32Array.of(1, NaN), NOTHING, at(4))).toThrow(/position 4 hold NaN or infinity/);
    expect(() => sampler({ temperature: 0 })(Float32Array.of(1, Infinity), NOTHING, at(4))).toThrow(/NaN or infinity/);
  });
});
