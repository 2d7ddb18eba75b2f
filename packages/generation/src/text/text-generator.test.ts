import { fileURLToPath } from "node:url";
import { createWasmBackend } from "@weft/kernels-wasm";
import { ADAPTER_METHODS } from "@weft/methods";
import { getPeftModel } from "@weft/registry";
import { Device, tensor } from "@weft/tensor-core";
import { ChatTemplate } from "@weft/tokenizers/chat";
import { afterAll, beforeAll, expect, test } from "vitest";
import { jsonSchema } from "../constraints/schema/json-schema.js";
import { loadTextGenerator } from "../node/load-text-generator.js";
import { generationDefaults } from "./options.js";
import { TextGenerator } from "./text-generator.js";

const TINY = fileURLToPath(new URL("../../../../fixtures/quant/tiny.gguf", import.meta.url));
const PROMPT = "The quick brown fox";
let device: Device;
let generator: TextGenerator;
beforeAll(async () => {
  device = new Device(await createWasmBackend({ threads: 1, relaxed: false }));
  generator = await loadTextGenerator(TINY, { device });
});
afterAll(async () => {
  await generator.dispose();
  device.dispose();
});

test("the likeliest tokens come one by one, and together are the answer", async () => {
  const generation = generator.generate(PROMPT, { maxNewTokens: 10, topLogprobs: 2 });
  const chunks = [];
  for await (const chunk of generation) chunks.push(chunk);
  const { text, tokens, finishReason, promptTokens } = await generation.result;
  expect(chunks.map((chunk) => chunk.text).join("")).toBe(text);
  expect(chunks.map(({ token }) => token)).toEqual(tokens);
  expect({ finishReason, tokens: tokens.length }).toEqual({ finishReason: "length", tokens: 10 });
  expect(promptTokens).toBe(generator.tokenizer.encode(PROMPT).ids.length);
  expect(text).toBe(generator.tokenizer.decode(tokens));
  for (const { token, logprob, topLogprobs } of chunks) {
    expect(topLogprobs).toHaveLength(2);
    expect(topLogprobs![0]).toEqual({ token, logprob });
  }
});

test("a seed gives one text, whatever runs beside it; its answers differ by their number", async () => {
  const options = { maxNewTokens: 12, temperature: 1.3, seed: 7 };
  const alone = await generator.generate(PROMPT, options).result;
  const beside = [0, 1, 2, 3].map((sequence) => generator.generate(PROMPT, { ...options, sequence }).result);
  const answers = await Promise.all(beside);
  expect(answers[0]!.tokens).toEqual(alone.tokens);
  expect(new Set(answers.map(({ text }) => text)).size).toBe(4);
  const [one, other] = await Promise.all([1, 2].map(() => generator.generate(PROMPT, { ...options, seed: undefined }).result));
  expect(one!.tokens).not.toEqual(other!.tokens);
});

test("a stop string ends the answer before it, an end token with it", async () => {
  const free = await generator.generate(PROMPT, { maxNewTokens: 10, temperature: 1, seed: 3 }).result;
  const stop = free.text.slice(3, 5);
  const stopped = await generator.generate(PROMPT, { maxNewTokens: 10, temperature: 1, seed: 3, stop }).result;
  expect(stopped).toMatchObject({ text: free.text.slice(0, free.text.indexOf(stop)), finishReason: "stop", stoppedBy: stop });
  const end = free.tokens[4]!;
  const ended = await generator.generate(PROMPT, { maxNewTokens: 10, temperature: 1, seed: 3, eosTokenId: end }).result;
  expect(ended).toMatchObject({ finishReason: "stop", stoppedBy: end, tokens: free.tokens.slice(0, free.tokens.indexOf(end) + 1) });
});

test("guesses from the prompt change nothing", async () => {
  const prompt = "one two three one two three one two three";
  const plain = await generator.generate(prompt, { maxNewTokens: 20 }).result;
  const before = generator.engine.counts;
  const guessed = await generator.generate(prompt, { maxNewTokens: 20, promptLookup: true }).result;
  expect(guessed.tokens).toEqual(plain.tokens);
  const { steps, acceptedDrafts } = generator.engine.counts;
  // All of the prompt is in the cache already.
  expect(steps - before.steps + acceptedDrafts - before.acceptedDrafts).toBe(20);
});

test("a chat is written by its template, and its answer goes on behind the header", async () => {
  const chatTemplate = ChatTemplate.fromText(
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
  );
  const chats = new TextGenerator(generator.engine.model, { tokenizer: generator.tokenizer, chatTemplate });
  const messages = [
    { role: "system", content: "Be brief." },
    { role: "user", content: "Who are you?" },
  ];
  const text = "<system>Be brief.\n<user>Who are you?\n<assistant>";
  const ids = chats.tokenizer.encode(text, { addSpecialTokens: false }).ids;
  const want = await chats.generate(ids, { maxNewTokens: 6 }).result;
  const got = await chats.chat(messages, { maxNewTokens: 6 }).result;
  expect(got).toEqual(want);
  const open = [...messages, { role: "assistant", content: "I am" }];
  const goesOn = await chats.chat(open, { maxNewTokens: 6, continueFinalMessage: true }).result;
  const begun = chats.tokenizer.encode(`${text}I am`, { addSpecialTokens: false }).ids;
  expect(goesOn).toEqual(await chats.generate(begun, { maxNewTokens: 6 }).result);
  await chats.dispose();
  const plain = new TextGenerator(generator.engine.model, { tokenizer: generator.tokenizer });
  await expect(plain.chat(messages).result).rejects.toMatchObject({ kind: "chat-template-missing" });
});

test("a constrained answer is what it has to be, and ends where nothing may follow", async () => {
  const schema = {
    type: "object",
    properties: { name: { enum: ["fox", "dog"] }, legs: { type: "integer", minimum: 0, maximum: 9 } },
    required: ["name", "legs"],
  };
  const eosTokenId = generator.defaults.eosTokenId!;
  for (const seed of [1, 2, 3]) {
    const constraint = jsonSchema(schema, generator.tokenizer, { eosTokenId });
    const { text, finishReason } = await generator.generate(PROMPT, { maxNewTokens: 100, temperature: 1, seed, constraint }).result;
    const { name, legs } = JSON.parse(text) as { name: string; legs: number };
    expect(["fox", "dog"]).toContain(name);
    expect(Number.isInteger(legs) && legs >= 0 && legs <= 9).toBe(true);
    expect(finishReason).toBe("stop");
  }
});

test("an answer that nobody reads on, or that is cancelled, ends", async () => {
  const left = generator.generate(PROMPT, { maxNewTokens: 60 });
  for await (const { token } of left) if (token >= 0) break;
  await expect(left.result).rejects.toMatchObject({ name: "CancelledError" });
  const controller = new AbortController();
  const aborted = generator.generate(PROMPT, { maxNewTokens: 60, signal: controller.signal });
  controller.abort();
  await expect(aborted.result).rejects.toMatchObject({ name: "CancelledError" });
  await expect(generator.generate(PROMPT, { temperature: -1 }).result).rejects.toMatchObject({ kind: "generation-option" });
  await expect(generator.generate(PROMPT, { maxNewTokens: 1000 }).result).rejects.toMatchObject({ kind: "context-length" });
  expect(generator.engine.counts).toMatchObject({ running: 0, waiting: 0 });
});

test("without a number of tokens an answer takes what the context has room for", async () => {
  const { tokens, promptTokens, finishReason } = await generator.generate(PROMPT, { eosTokenId: [] }).result;
  expect(tokens.length + promptTokens).toBe(generator.engine.contextLength);
  expect(finishReason).toBe("length");
});

test("a factor on an adapter changes its effect: 0 is the base, 1 the adapter, and merging agrees", async () => {
  const config = { peftType: "LORA", targetModules: "all-linear", initLoraWeights: false };
  const base = generator.engine.model as Extract<typeof generator.engine.model, { emptyCache: unknown }>;
  const peft = await getPeftModel(base, config as never, { methods: ADAPTER_METHODS, seed: 1 });
  const inputIds = tensor(Int32Array.of(3, 8, 5, 9), { shape: [1, 4], device });
  const logits = async (model: { forward(inputs: never): unknown }): Promise<Float32Array> =>
    (await (model.forward({ inputIds } as never) as { logits: { data(): Promise<Float32Array> } }).logits.data()).slice();
  const gap = (a: Float32Array, b: Float32Array): number => Math.max(...a.map((v, i) => Math.abs(v - b[i]!)));
  const [without, whole] = [await logits(base as never), await logits(peft as never)];
  peft.setScale(0);
  expect(gap(await logits(peft as never), without)).toBeLessThan(1e-5);
  peft.setScale(0.5);
  const half = await logits(peft as never);
  expect(gap(half, whole)).toBeGreaterThan(1e-3);
  peft.setScale(1);
  expect(await logits(peft as never)).toEqual(whole);
  expect(() => peft.setScale(NaN)).toThrow("no factor");
});

test("options are those of the model's files: nothing is drawn unless they say so", () => {
  expect(generationDefaults({ temperature: 0.6, top_p: 0.9, eos_token_id: [1, 2], bos_token_id: 1 })).toEqual({
    temperature: 0,
    eosTokenId: [1, 2],
  });
  expect(generationDefaults({ do_sample: true, temperature: 0.6, top_k: null, repetition_penalty: 1.1 })).toEqual({
    temperature: 0.6,
    repetitionPenalty: 1.1,
  });
});
