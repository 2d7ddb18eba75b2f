import { type GenerativeModel, TextGenerator, TokenScorer } from "@weft/generation";
import { createWasmBackend } from "@weft/kernels-wasm";
import { Device } from "@weft/tensor-core";
import { openTinyModel, openTinyText } from "@weft/tiny-models";
import type { Tokenizer } from "@weft/tokenizers";

/** What an example writes: a line for whoever runs it. */
export type Tell = (line: string) => void;

/** One thread of WebAssembly: the models are too small for more. */
export const openDevice = async (): Promise<Device> => new Device(await createWasmBackend({ threads: 1 }));

/** All tiny models have this one. */
export const tinyTokenizer = async (): Promise<Tokenizer> => (await openTinyModel("llama")).tokenizer;

/** The model takes the likeliest token each time, so that what it writes can be compared. */
export async function continuation(model: GenerativeModel, prompt: string, maxNewTokens = 16): Promise<string> {
  const generator = new TextGenerator(model, { tokenizer: await tinyTokenizer(), maxBatch: 1, contextLength: 128 });
  const { text } = await generator.generate(prompt, { maxNewTokens, temperature: 0 }).result;
  await generator.dispose();
  return text;
}

/** Loss of a token of Romeo and Juliet's fifth act, of its first 512: no model and no example has trained on it. */
export async function verseLoss(model: GenerativeModel): Promise<number> {
  const ids = (await tinyTokenizer()).encode(await openTinyText("romeo-and-juliet-act-5")).ids.slice(0, 512);
  const logprobs = await new TokenScorer(model, { contextLength: 128 }).logprobs([...ids]);
  return -logprobs.reduce((sum, one) => sum + one, 0) / logprobs.length;
}

/** Rows of 64 tokens out of the first four acts, to train on, four a batch. */
export async function verseBatches(count: number): Promise<{ inputIds: number[][]; labels: number[][] }[]> {
  const { ids } = (await tinyTokenizer()).encode(await openTinyText("romeo-and-juliet"));
  const row = (i: number): number[] => ids.slice(64 * i, 64 * (i + 1));
  return Array.from({ length: count }, (_, i) => {
    const rows = [0, 1, 2, 3].map((j) => row(4 * i + j));
    return { inputIds: rows, labels: rows };
  });
}
