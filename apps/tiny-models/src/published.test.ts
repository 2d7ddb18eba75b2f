import { fileURLToPath } from "node:url";
import { TokenScorer } from "@weft/generation";
import { createWasmBackend } from "@weft/kernels-wasm";
import { loadCausalLM } from "@weft/models";
import { Device } from "@weft/tensor-core";
import { openTinyModel, type TinyModelName } from "@weft/tiny-models";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RECIPES, VOCAB_SIZE } from "./recipes.js";
import { type Corpus, readCorpus } from "./texts.js";
import { trainTokenizer } from "./tokenizer.js";

/** Tokens that are measured: the beginning of the text that no model has read. */
const TOKENS = 1024;
/** Losses of a token there, rounded up; log 1024, 6.93, is that of who knows nothing. */
const LOSSES: readonly (readonly [TinyModelName, number])[] = [
  ["llama", 3.75],
  ["mamba", 4],
  ["rwkv", 3.65],
];

const corpus: Corpus = readCorpus(fileURLToPath(new URL("../data/austen", import.meta.url)));
let device: Device;
beforeAll(async () => void (device = new Device(await createWasmBackend({ threads: 1 }))));
afterAll(() => device.dispose());

test.each(LOSSES)("the %s that is published has learnt from these texts: loss below %d", async (name, most) => {
  const { config, weights, tokenizer } = await openTinyModel(name);
  expect(config).toEqual(RECIPES[name]!.config);
  const scorer = new TokenScorer(await loadCausalLM(config, weights, { device }), { device, contextLength: 256 });
  const tokens = tokenizer.encode(corpus.validation.join("\n"), { addSpecialTokens: false }).ids.slice(0, TOKENS);
  const logprobs = await scorer.logprobs(tokens);
  scorer.dispose();
  const loss = -logprobs.reduce((sum, value) => sum + value, 0) / logprobs.length;
  expect(loss).toBeLessThan(most);
});

test("the tokenizer that is published is learnt from these texts", async () => {
  const { tokenizer } = await openTinyModel("llama");
  expect(trainTokenizer(corpus.training, VOCAB_SIZE).toJson()).toEqual(tokenizer.toJson());
});
