import { BYTE_LEVEL_ALPHABET, type Tokenizer, train } from "@weft/tokenizers";

/** What stands between two texts, and ends them. */
export const END = "<|endoftext|>";

/** A byte-level BPE, as GPT-2 has it. */
export const trainTokenizer = (texts: readonly string[], vocabSize: number): Tokenizer =>
  train(texts, {
    model: "BPE",
    vocabSize,
    specialTokens: [END],
    initialAlphabet: BYTE_LEVEL_ALPHABET,
    preTokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    postProcessor: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
  });
