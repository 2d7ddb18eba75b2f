import type { GgufMetadata, GgufValue } from "@weft/io-gguf";
import { CapabilityError } from "@weft/tensor-core";
import type { ModelConfig } from "../changes/tied.js";

type Json = { readonly [field: string]: unknown };

/** What a tokenizer's files hold, parsed. */
export interface TokenizerFiles {
  /** tokenizer.json. */
  readonly tokenizer: Json;
  /** tokenizer_config.json. */
  readonly config: Json;
  /** chat_template.jinja, where the template is a file of its own. */
  readonly template: string | undefined;
}

/** Numbers of llama.cpp for kinds of tokens. */
const KIND = { normal: 1, control: 3, user: 4, unused: 5 } as const;

const LLAMA3 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
/** What ByteLevel cuts by itself, as a step before it: tokenizers that were read of GGUF files have it so. */
const GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)";
/** Names that llama.cpp has for ways to cut text before tokens are found, by the steps of tokenizer.json. */
const PRE: readonly (readonly [steps: string, name: string])[] = [
  ["ByteLevel", "gpt-2"],
  [`Split:${GPT2} ByteLevel`, "gpt-2"],
  ["Digits ByteLevel", "smollm"],
  [`Split:\\p{N} Split:${GPT2} ByteLevel`, "smollm"],
  [`Split:${LLAMA3} ByteLevel`, "llama-bpe"],
  [`Split:${LLAMA3.replace("{1,3}", "")} ByteLevel`, "qwen2"],
];

function stepsOf(pre: Json | null | undefined): string {
  if (!pre) return "";
  if (pre.type === "Sequence") return (pre.pretokenizers as Json[]).map(stepsOf).join(" ");
  return pre.type === "Split" ? `Split:${(pre.pattern as { readonly Regex?: string }).Regex ?? ""}` : String(pre.type);
}

/**
 * Metadata of a tokenizer of byte-level BPE (GPT-2, Llama 3, Qwen, SmolLM).
 * @param size rows of the embedding: tokens that the vocabulary lacks are filled up
 * @throws CapabilityError kind `unsupported-model` for other tokenizers, and for ways to cut text that llama.cpp's name is not known of
 * @see llama.cpp `convert_hf_to_gguf.py` get_vocab_base, get_vocab_base_pre; gguf-py `vocab.py` SpecialVocab
 */
export function tokenizerMetadata(
  { tokenizer, config, template }: TokenizerFiles,
  model: ModelConfig,
  size: number,
  file: string,
): GgufMetadata {
  const {
    type,
    vocab,
    merges = [],
    byte_fallback: fallback,
  } = (tokenizer.model ?? {}) as {
    type?: string;
    vocab?: { readonly [token: string]: number };
    merges?: readonly (string | readonly [string, string])[];
    byte_fallback?: boolean;
  };
  const steps = stepsOf(tokenizer.pre_tokenizer as Json | null);
  const pre = PRE.find(([known]) => known === steps)?.[1];
  if (type !== "BPE" || fallback || !vocab || !pre)
    throw new CapabilityError(
      `${file}: this tokenizer (${type ?? "unknown"}${fallback ? " with bytes to fall back to" : ""}; ${steps || "text is not cut"}) is none of those that are written as GGUF: byte-level BPE as GPT-2, Llama 3, Qwen 2 and SmolLM cut it`,
      { kind: "unsupported-model", file, hint: "llama.cpp's convert_hf_to_gguf.py writes it" },
    );
  const tokens = Array.from({ length: size }, (_, i) => `[PAD${i}]`);
  const kinds = new Int32Array(size).fill(KIND.unused);
  const put = (token: string, id: number, kind: number): void => {
    if (!(Number.isInteger(id) && id >= 0 && id < size))
      throw new CapabilityError(`${file}: token ${JSON.stringify(token)} has number ${id}, the embedding has ${size} rows`, {
        kind: "unsupported-model",
        file,
      });
    tokens[id] = token;
    kinds[id] = kind;
  };
  for (const [token, id] of Object.entries(vocab)) put(token, id, KIND.normal);
  const added = (tokenizer.added_tokens ?? []) as readonly { readonly id: number; readonly content: string; readonly special: boolean }[];
  for (const { id, content, special } of added) put(content, id, special ? KIND.control : KIND.user);
  const idOf = (name: string): number | undefined => {
    const named = config[`${name}_token`] as string | { readonly content?: string } | null | undefined;
    const content = typeof named === "string" ? named : named?.content;
    const id = content === undefined ? -1 : tokens.indexOf(content);
    const given = model[`${name}_token_id`];
    return id >= 0 ? id : typeof given === "number" ? given : undefined;
  };
  const ids = (["bos", "eos", "unk", "pad"] as const).flatMap((name): [string, GgufValue][] => {
    const id = idOf(name);
    const key = { bos: "bos", eos: "eos", unk: "unknown", pad: "padding" }[name];
    return id === undefined ? [] : [[`tokenizer.ggml.${key}_token_id`, { type: "u32", value: id }]];
  });
  const flags = (["add_bos_token", "add_eos_token"] as const).flatMap((name): [string, GgufValue][] =>
    typeof config[name] === "boolean" ? [[`tokenizer.ggml.${name}`, { type: "bool", value: config[name] }]] : [],
  );
  const chat = typeof config.chat_template === "string" ? config.chat_template : template;
  return new Map<string, GgufValue>([
    ["tokenizer.ggml.model", { type: "string", value: "gpt2" }],
    ["tokenizer.ggml.pre", { type: "string", value: pre }],
    ["tokenizer.ggml.tokens", { type: "array", items: "string", value: tokens }],
    ["tokenizer.ggml.token_type", { type: "array", items: "i32", value: kinds }],
    [
      "tokenizer.ggml.merges",
      { type: "array", items: "string", value: merges.map((pair) => (typeof pair === "string" ? pair : pair.join(" "))) },
    ],
    ...ids,
    ...flags,
    ...(chat === undefined ? [] : ([["tokenizer.chat_template", { type: "string", value: chat }]] as const)),
  ]);
}
