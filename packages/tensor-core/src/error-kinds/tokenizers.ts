/** Errors of tokenizers: files that describe one, and texts that one cannot take. */
export interface TokenizerErrorKinds {
  /** A tokenizer's file is not strict JSON. Fetch it again; the message names the byte. */
  "tokenizer-json": "format";
  /** A part of a tokenizer's file is missing, or of a type or value that there is not. The message names its place in the file. */
  "tokenizer-schema": "format";
  /** A merge joins tokens that the vocabulary does not have, or to one that it does not have. The file is damaged: fetch it again. */
  "tokenizer-merge": "format";
  /** The metadata of a GGUF file lacks what describes its tokenizer, or describes one that is not read. The message names the key. */
  "tokenizer-metadata": "format";
  /** A tokenizer has no token for a part of a text, and none for what is unknown. Take a tokenizer with an unknown token, or remove that part. */
  "unknown-token": "config";
  /** Options of a tokenizer that cannot be kept together: a length that leaves no room, a stride that is not below it. The message names both. */
  "tokenizer-option": "config";
  /** A chat template cannot be read, or fails while it runs. The message names its line; pass another as `template`. */
  "chat-template": "format";
  /** A model has no chat template, or none of the name. Give one, or train on prompts and completions, which need none. */
  "chat-template-missing": "config";
  /** Messages are not what the chat template takes: not a list of objects, roles out of turn, a last message that cannot be continued. The message says why. */
  "chat-messages": "config";
  /** Tokens of this tokenizer are not bytes of a text by themselves, so that what they make of it cannot be told in advance. */
  "no-token-bytes": "capability";
}
