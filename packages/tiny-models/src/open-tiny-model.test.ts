import { statSync } from "node:fs";
import { join } from "node:path";
import { generationDefaults, TextGenerator } from "@weft/generation";
import { createWasmBackend } from "@weft/kernels-wasm";
import { loadCausalLM } from "@weft/models";
import { loadPretrained } from "@weft/models/node";
import { Device } from "@weft/tensor-core";
import { openTokenizer } from "@weft/tokenizers/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tinyModelFolder, tinyTextFile } from "./node/index.js";
import { openTinyModel, openTinyText, TINY_MODELS, TINY_TEXTS } from "./open-tiny-model.js";
import { readFile } from "./read-file.js";

let device: Device;
beforeAll(async () => void (device = new Device(await createWasmBackend({ threads: 1 }))));
afterAll(() => device.dispose());

describe.each(TINY_MODELS)("the tiny %s", (name) => {
  it("has weights of less than 2 MB", () => {
    expect(statSync(join(tinyModelFolder(name), "model.safetensors")).size).toBeLessThan(2_000_000);
  });

  it("writes words of English", async () => {
    const { config, weights, tokenizer, generationConfig } = await openTinyModel(name);
    const model = await loadCausalLM(config, weights, { device });
    const generator = new TextGenerator(model, { tokenizer, defaults: generationDefaults(generationConfig), maxBatch: 1 });
    const { text } = await generator.generate("It was", { maxNewTokens: 60, seed: 3 }).result;
    await generator.dispose();
    const words = text.toLowerCase().match(/[a-z]{2,}/g) ?? [];
    const known = new Set("to the and of that was her had she not be it in you he for as with his at but have him so all my me".split(" "));
    expect(words.length).toBeGreaterThan(15);
    // About half of Austen's words are among her thirty most frequent ones; of random letters none are.
    expect(words.filter((word) => known.has(word)).length / words.length).toBeGreaterThan(0.2);
  });

  it("is the same model as its folder", async () => {
    const { config, weights, tokenizer } = await openTinyModel(name);
    const folder = tinyModelFolder(name);
    const [ours, other] = [await loadCausalLM(config, weights, { device }), await loadPretrained(folder, { device })];
    const { ids } = tokenizer.encode("It is a truth universally acknowledged");
    expect((await openTokenizer(folder)).encode("It is a truth universally acknowledged").ids).toEqual(ids);
    const inputIds = device.tensor([[...ids]], { dtype: "i32" });
    const [a, b] = [await ours.forward({ inputIds }).logits.data(), await other.forward({ inputIds }).logits.data()];
    expect(a).toEqual(b);
  });
});

it.each(TINY_TEXTS)("the text %s has passages of plain ASCII, with blank lines between", async (name) => {
  const text = await openTinyText(name);
  expect(text).toMatch(/^[\x20-\x7e\n]+$/);
  expect(text.split("\n\n").length).toBeGreaterThan(20);
  expect(statSync(tinyTextFile(name)).size).toBe(text.length);
});

it("names the models that there are", async () => {
  await expect(openTinyModel("gpt" as never)).rejects.toThrow('there is no tiny model "gpt", expected one of llama');
  await expect(openTinyText("toString" as never)).rejects.toThrow(/no tiny text "toString"/);
});

it("says what to do about a file that a bundler has left behind", async () => {
  const url = new URL("http://127.0.0.1/models/llama/config.json");
  const absent = (): Promise<Response> => Promise.resolve(new Response("", { status: 404 }));
  await expect(readFile(url, absent)).rejects.toMatchObject({
    kind: "not-found",
    file: url.href,
    hint: expect.stringContaining("bundler"),
  });
  await expect(readFile(new URL("absent.json", import.meta.url), fetch)).rejects.toMatchObject({ kind: "not-found" });
});
