import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Tokenizer, train } from "@weft/tokenizers";

/** A JSON file below `fixtures/` of the repository. */
export const fixtureJson = (path: string): unknown => JSON.parse(readFileSync(fixture(path), "utf8"));

/** A path below `fixtures/` of the repository. */
export const fixture = (path: string): string => fileURLToPath(new URL(`../../../fixtures/${path}`, import.meta.url));

/** All that comes. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** The error that a promise ends with. */
export async function failure(promise: Promise<unknown>): Promise<{ readonly kind: string; readonly message: string }> {
  try {
    await promise;
  } catch (error) {
    return error as { kind: string; message: string };
  }
  throw new Error("nothing was thrown");
}

const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
const range = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, i) => String.fromCharCode(from + i));

/** A byte-level tokenizer with the special tokens of ChatML, `<s>` and `</s>`; one of its tokens is `\nno`, which reaches over the end of a header. */
export function chatTokenizer(): Tokenizer {
  return train(["\nno \nno \nno"], {
    model: "BPE",
    vocabSize: 264,
    specialTokens: ["<|im_start|>", "<|im_end|>", "<s>", "</s>"],
    preTokenizer: { ...byteLevel, use_regex: false },
    decoder: byteLevel,
    initialAlphabet: [...range(33, 126), ...range(161, 172), ...range(174, 323)],
  });
}
