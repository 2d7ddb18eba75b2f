import { fileURLToPath } from "node:url";
import { createWasmBackend } from "@weft/kernels-wasm";
import { normalized, pooled } from "@weft/models";
import { loadPretrained, loadPretrainedEncoder } from "@weft/models/node";
import { Device, tensor } from "@weft/tensor-core";
import type { Tokenizer } from "@weft/tokenizers";
import { openTokenizer } from "@weft/tokenizers/node";
import { expect, test } from "vitest";
import { Embedder, type EmbeddingModel } from "./embedder.js";

const fixture = (path: string): string => fileURLToPath(new URL(`../../../fixtures/${path}`, import.meta.url));
const TEXTS = ["a much longer text of several words, which is cut where the model ends", "short", "two words", "short"];

test.each(["bert", "llama"])("%s: texts of all lengths give the vectors that each gives alone, without padding", async (name) => {
  const device = new Device(await createWasmBackend({ threads: 1, relaxed: false }));
  const wordpiece = await openTokenizer(fixture("models/tokenizers/wordpiece"));
  const load = name === "bert" ? loadPretrainedEncoder : loadPretrained;
  const model = (await load(fixture(`models/${name}`), { device })) as EmbeddingModel;
  await expect(new Embedder(model, { tokenizer: wordpiece }).embed(TEXTS)).rejects.toThrow("the model's vocabulary has");
  const { vocabSize } = (model as { readonly config: { readonly vocabSize: number } }).config;
  // The tiny models have fewer tokens than it.
  const encode: Tokenizer["encode"] = (text, options) => {
    const encoding = wordpiece.encode(text, options);
    return { ...encoding, ids: encoding.ids.map((id) => id % vocabSize) };
  };
  const tokenizer = { encode } as Tokenizer;
  for (const pooling of ["mean", "cls", "last", "max"] as const) {
    const embedder = new Embedder(model, { tokenizer, pooling, maxLength: 8, batchSize: 3 });
    const vectors = await embedder.embed(TEXTS);
    expect(vectors[1]).toEqual(vectors[3]);
    for (const [i, text] of TEXTS.entries()) {
      const { ids } = tokenizer.encode(text, { truncation: 8 });
      const inputIds = tensor(Int32Array.from(ids), { shape: [1, ids.length], device });
      const { hiddenStates } = (model as { forward(inputs: object): { hiddenStates: readonly ReturnType<typeof tensor>[] } }).forward({
        inputIds,
      });
      const ones = tensor(new Int32Array(ids.length).fill(1), { shape: [1, ids.length], device });
      const want = await normalized(pooled(hiddenStates.at(-1)!, ones, pooling)).data();
      expect(Math.max(...vectors[i]!.map((v, j) => Math.abs(v - want[j]!)))).toBeLessThan(1e-5);
    }
    embedder.dispose();
  }
  device.dispose();
});

test("options that mean nothing are refused", async () => {
  const tokenizer = await openTokenizer(fixture("models/tokenizers/wordpiece"));
  const model = await loadPretrainedEncoder(fixture("models/bert"));
  expect(() => new Embedder(model, { tokenizer, batchSize: 0 })).toThrow("batchSize is 0");
});
