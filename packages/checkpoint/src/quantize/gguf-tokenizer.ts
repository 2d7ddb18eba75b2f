import type { GgufMetadata, GgufValue } from "@weft/io-gguf";
import { ggufSplitterOf, mergesOfScores } from "@weft/tokenizers";
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
const KIND = { normal: 1, unknown: 2, control: 3, user: 4, unused: 5, byte: 6 } as const;
/** Special tokens by their names in tokenizer_config.json, and by those of their keys. */
const SPECIAL = [
  ["bos", "bos"],
  ["eos", "eos"],
  ["unk", "unknown"],
  ["sep", "seperator"],
  ["pad", "padding"],
  ["cls", "cls"],
  ["mask", "mask"],
] as const;
type SpecialName = (typeof SPECIAL)[number][0];
/** What tokens that no text becomes by itself score. */
const NEVER = -10000;
const SPACE = "▁";

/** A tokenizer under way: its tokens by number, and what its kind adds to them. */
interface Vocabulary {
  readonly tokens: string[];
  readonly kinds: Int32Array;
  /** Text of the tokens that are found before a text is cut, by number. */
  readonly added: ReadonlyMap<number, { readonly content: string; readonly special: boolean }>;
  readonly file: string;
}

/** Entries of metadata by their keys below `tokenizer.ggml.`. */
type Entries = readonly (readonly [key: string, value: GgufValue])[];

const text = (value: string): GgufValue => ({ type: "string", value });
const bool = (value: boolean): GgufValue => ({ type: "bool", value });

const refuse = (file: string, what: string): CapabilityError =>
  new CapabilityError(`${file}: ${what}`, { kind: "unsupported-model", file, hint: "llama.cpp's convert_hf_to_gguf.py may write it" });

/** The steps of a normalizer or a pre-tokenizer, whether or not it is a sequence. */
function stepsOf(part: unknown, list: "normalizers" | "pretokenizers"): Json[] {
  const step = part as Json | null | undefined;
  if (!step) return [];
  return step["type"] === "Sequence" ? (step[list] as unknown[]).flatMap((one) => stepsOf(one, list)) : [step];
}

/** Byte-level BPE (GPT-2, Llama 3, Qwen, SmolLM). */
function byteLevel({ tokenizer }: TokenizerFiles, model: Json, { file }: Vocabulary): Entries {
  const pre = ggufSplitterOf(tokenizer["pre_tokenizer"], model["ignore_merges"] === true);
  if (pre === undefined)
    throw refuse(file, "its text is cut (pre_tokenizer) in none of the ways of byte-level BPE that llama.cpp has a name for");
  const merges = (model["merges"] ?? []) as readonly (string | readonly [string, string])[];
  return [
    ["model", text("gpt2")],
    ["pre", text(pre)],
    ["merges", { type: "array", items: "string", value: merges.map((pair) => (typeof pair === "string" ? pair : pair.join(" "))) }],
  ];
}

/**
 * SentencePiece's BPE, whose merges stand in GGUF files as the scores of tokens: the earlier a token is merged, the more it scores.
 * @throws CapabilityError where other merges follow from the scores than the tokenizer has
 */
function sentencePiece({ tokenizer }: TokenizerFiles, model: Json, vocabulary: Vocabulary): Entries {
  const { tokens, kinds, added, file } = vocabulary;
  const merges = ((model["merges"] ?? []) as readonly (string | readonly [string, string])[]).map((pair) => {
    const at = typeof pair === "string" ? pair.indexOf(" ", 1) : 0;
    return typeof pair === "string" ? ([pair.slice(0, at), pair.slice(at + 1)] as const) : pair;
  });
  const rank = new Map<string, number>();
  for (const [left, right] of merges) if (!rank.has(left + right)) rank.set(left + right, rank.size);
  let last = rank.size;
  const scores = Float32Array.from(tokens, (token, id) => {
    if (kinds[id] === KIND.byte) return 0;
    if (kinds[id] !== KIND.normal) return NEVER;
    return -(rank.get(token) ?? last++);
  });
  const known = tokens.map((token, id) => (kinds[id] === KIND.normal ? token : ""));
  const own = new Set([...added.values()].map(({ content }) => content));
  const order = (pairs: readonly (readonly [string, string])[]): string =>
    pairs
      .flatMap(([left, right]) => (own.has(left + right) ? [] : [`${rank.get(left + right)} ${left} ${right}`]))
      .toSorted()
      .join("\n");
  const sorted = merges.every(([left, right], i) => i === 0 || rank.get(left + right)! >= rank.get(merges[i - 1]!.join(""))!);
  if (!sorted || order(merges) !== order(mergesOfScores(known, scores)))
    throw refuse(
      file,
      "its merges are not those of SentencePiece, which joins any two tokens that make a third: llama.cpp, which has no others, would cut texts differently",
    );
  return [
    ["model", text("llama")],
    ["pre", text("default")],
    ["scores", { type: "array", items: "f32", value: scores }],
    ["add_space_prefix", bool(spacePrefix(tokenizer, file))],
  ];
}

/** Whether a text gets a space in front, of a tokenizer that has `▁` for spaces and no other rules. */
function spacePrefix(tokenizer: Json, file: string): boolean {
  let prefix = false;
  for (const step of [...stepsOf(tokenizer["normalizer"], "normalizers"), ...stepsOf(tokenizer["pre_tokenizer"], "pretokenizers")]) {
    const pattern = (step["pattern"] as { readonly String?: string } | undefined)?.String;
    if (step["type"] === "Prepend" && step["prepend"] === SPACE) prefix = true;
    else if (step["type"] === "Metaspace" && step["replacement"] === SPACE) prefix ||= (step["prepend_scheme"] ?? "always") !== "never";
    // No spaces are left to split at.
    else if (!(pattern === " " && ((step["type"] === "Replace" && step["content"] === SPACE) || step["type"] === "Split")))
      throw refuse(file, `it changes texts (${String(step["type"])}) in a way that GGUF files of SentencePiece's BPE do not have`);
  }
  return prefix;
}

/** SentencePiece's unigram model. */
function unigram({ tokenizer }: TokenizerFiles, model: Json, { tokens, kinds, file }: Vocabulary): Entries {
  const pieces = model["vocab"] as readonly (readonly [string, number])[];
  const scores = Float32Array.from(tokens, (_, id) => (kinds[id] === KIND.unused ? NEVER : (pieces[id]?.[1] ?? 0)));
  let charsmap: Uint8Array | undefined;
  let [stripped, collapsed, prefix] = [false, false, false];
  for (const step of stepsOf(tokenizer["normalizer"], "normalizers")) {
    const regex = (step["pattern"] as { readonly Regex?: string } | undefined)?.Regex;
    if (step["type"] === "Precompiled") charsmap = Uint8Array.from(atob(String(step["precompiled_charsmap"])), (c) => c.charCodeAt(0));
    else if (step["type"] === "Strip" && step["strip_left"] !== false && step["strip_right"] === true) stripped = true;
    else if (step["type"] === "Replace" && regex === " {2,}" && (step["content"] === " " || step["content"] === SPACE)) collapsed = true;
    else throw refuse(file, `it normalises texts (${String(step["type"])}) in a way that GGUF files of unigram models do not have`);
  }
  for (const step of stepsOf(tokenizer["pre_tokenizer"], "pretokenizers")) {
    if (step["type"] !== "Metaspace" && step["type"] !== "WhitespaceSplit")
      throw refuse(file, `its text is cut (${String(step["type"])}) in a way that GGUF files of unigram models do not have`);
    // Cut at spaces, of which none stays at the ends or beside another.
    if (step["type"] === "WhitespaceSplit") [stripped, collapsed] = [true, true];
    else prefix = (step["prepend_scheme"] ?? "always") !== "never";
  }
  if (stripped !== collapsed)
    throw refuse(file, "it takes away spaces at the ends or between words, and GGUF files of unigram models have both or none");
  return [
    ["model", text("t5")],
    ["pre", text("default")],
    ["scores", { type: "array", items: "f32", value: scores }],
    ["add_space_prefix", bool(prefix)],
    ["remove_extra_whitespaces", bool(stripped)],
    ...(charsmap ? ([["precompiled_charsmap", { type: "array", items: "u8", value: charsmap }]] as const) : []),
  ];
}

/** BERT's WordPiece, whose words begin with `▁` in GGUF files, and what continues one has no mark. */
function wordPiece({ tokenizer }: TokenizerFiles, model: Json, { tokens, kinds, file }: Vocabulary): Entries {
  const [normalizer, ...others] = [
    ...stepsOf(tokenizer["normalizer"], "normalizers"),
    ...stepsOf(tokenizer["pre_tokenizer"], "pretokenizers"),
  ];
  if (normalizer?.["type"] !== "BertNormalizer" || others.length !== 1 || others[0]!["type"] !== "BertPreTokenizer")
    throw refuse(
      file,
      "its texts are not cut as BERT's (BertNormalizer, BertPreTokenizer), and llama.cpp has no other way for word pieces",
    );
  const other = ["clean_text", "handle_chinese_chars"].find((field) => normalizer[field] === false);
  if (other) throw refuse(file, `${other} is false, and llama.cpp always cuts texts as if it were true`);
  const lowercase = normalizer["lowercase"] !== false;
  const stripAccents = (normalizer["strip_accents"] as boolean | null | undefined) ?? lowercase;
  const mark = String(model["continuing_subword_prefix"] ?? "##");
  const stored = tokens.map((token, id) => {
    if (kinds[id] !== KIND.normal && kinds[id] !== KIND.unused) return token;
    return token.startsWith(mark) ? token.slice(mark.length) : SPACE + token;
  });
  return [
    ["model", text("bert")],
    ["pre", text("default")],
    ["tokens", { type: "array", items: "string", value: stored }],
    // What files without these say.
    ...(lowercase ? [] : ([["normalizer.lowercase", bool(false)]] as const)),
    ...(stripAccents ? [] : ([["normalizer.strip_accents", bool(false)]] as const)),
  ];
}

/** How the model of a tokenizer.json is written. */
function kindOf({ tokenizer }: TokenizerFiles, file: string): { readonly write: typeof byteLevel; readonly model: Json } {
  const model = (tokenizer["model"] ?? {}) as Json;
  if (model["vocab"] && model["type"] === "BPE") return { write: model["byte_fallback"] === true ? sentencePiece : byteLevel, model };
  if (model["vocab"] && model["type"] === "Unigram") return { write: unigram, model };
  if (model["vocab"] && model["type"] === "WordPiece") return { write: wordPiece, model };
  throw refuse(
    file,
    `its model (${String(model["type"] ?? "none")}) is none of those that are written as GGUF: byte-level BPE, SentencePiece's BPE and unigram, BERT's WordPiece`,
  );
}

const BYTE = /^<0x[0-9A-F]{2}>$/;

function vocabularyOf({ tokenizer }: TokenizerFiles, model: Json, size: number, file: string): Vocabulary {
  const tokens = Array.from({ length: size }, (_, i) => `[PAD${i}]`);
  const kinds = new Int32Array(size).fill(KIND.unused);
  const put = (token: string, id: number, kind: number): void => {
    if (!(Number.isInteger(id) && id >= 0 && id < size))
      throw refuse(file, `token ${JSON.stringify(token)} has number ${id}, the embedding has ${size} rows`);
    tokens[id] = token;
    kinds[id] = kind;
  };
  const bytes = model["byte_fallback"] === true;
  const listed = Array.isArray(model["vocab"])
    ? (model["vocab"] as readonly (readonly [string, number])[]).map(([token], id) => [token, id] as const)
    : Object.entries(model["vocab"] as { readonly [token: string]: number });
  for (const [token, id] of listed) put(token, id, bytes && BYTE.test(token) ? KIND.byte : KIND.normal);
  const added = (tokenizer["added_tokens"] ?? []) as readonly {
    readonly id: number;
    readonly content: string;
    readonly special: boolean;
  }[];
  // llama.cpp looks for these in a text as it is, before it has another character for spaces.
  const asInText = (content: string): string => (bytes ? content.replaceAll(SPACE, " ") : content);
  for (const { id, content, special } of added) put(special ? content : asInText(content), id, special ? KIND.control : KIND.user);
  const unknown = typeof model["unk_id"] === "number" ? model["unk_id"] : tokens.indexOf(String(model["unk_token"]));
  if (unknown >= 0 && (bytes || Array.isArray(model["vocab"]))) kinds[unknown] = KIND.unknown;
  return { tokens, kinds, added: new Map(added.map((one) => [one.id, one])), file };
}

/** The tokens that a tokenizer.json puts around a text. */
function around(postProcessor: unknown): { readonly first: string | undefined; readonly last: string | undefined } {
  const processor = postProcessor as Json | null | undefined;
  const steps = processor?.["type"] === "Sequence" ? (processor["processors"] as Json[]) : processor ? [processor] : [];
  const template = steps.find(({ type }) => type === "TemplateProcessing");
  const single = (template?.["single"] ?? []) as readonly { readonly SpecialToken?: { readonly id: string } }[];
  return { first: single[0]?.SpecialToken?.id, last: single.at(-1)?.SpecialToken?.id };
}

/**
 * Metadata of a tokenizer: byte-level BPE, SentencePiece's BPE (with bytes to fall back to), its unigram model, and BERT's WordPiece.
 * @param size rows of the embedding: tokens that the vocabulary lacks are filled up
 * @throws CapabilityError kind `unsupported-model` for other tokenizers, and for what llama.cpp has no way to do
 * @see llama.cpp `conversion/base.py` get_vocab_base, _create_vocab_sentencepiece; `src/llama-vocab.cpp`; gguf-py `vocab.py` SpecialVocab
 */
export function tokenizerMetadata(files: TokenizerFiles, model: ModelConfig, size: number, file: string): GgufMetadata {
  const { tokenizer, config, template } = files;
  const kind = kindOf(files, file);
  const vocabulary = vocabularyOf(files, kind.model, size, file);
  const { tokens, kinds } = vocabulary;
  const own = new Map(kind.write(files, kind.model, vocabulary));
  const contentOf = (name: string): string | undefined => {
    const named = config[`${name}_token`] as string | { readonly content?: string } | null | undefined;
    return typeof named === "string" ? named : named?.content;
  };
  const idOf = (name: string): number | undefined => {
    const id = tokens.indexOf(contentOf(name) ?? "");
    const given = model[`${name}_token_id`];
    return id >= 0 ? id : typeof given === "number" ? given : undefined;
  };
  const { first, last } = around(tokenizer["post_processor"]);
  const pieces = kind.write === wordPiece;
  // What follows from tokenizer.json where nothing else says it.
  const fallback: { readonly [name in SpecialName]?: string | undefined } = pieces
    ? { unk: String(kind.model["unk_token"] ?? "[UNK]"), bos: first, eos: last, sep: last, cls: first }
    : { unk: tokens[kinds.indexOf(KIND.unknown)] };
  const idIn = (token: string | undefined): number | undefined => {
    const id = token === undefined ? -1 : tokens.indexOf(token);
    return id >= 0 ? id : undefined;
  };
  const ids = SPECIAL.flatMap(([name, key]): [string, GgufValue][] => {
    const id = idOf(name) ?? idIn(fallback[name]);
    return id === undefined ? [] : [[`${key}_token_id`, { type: "u32", value: id }]];
  });
  const adds = {
    bos: first !== undefined && (pieces || tokens.indexOf(first) === idOf("bos")),
    eos: last !== undefined && (pieces || tokens.indexOf(last) === idOf("eos")),
  };
  const flags = (["bos", "eos"] as const).map((name): [string, GgufValue] => {
    const said = config[`add_${name}_token`];
    return [`add_${name}_token`, bool(typeof said === "boolean" ? said : adds[name])];
  });
  const chat = typeof config["chat_template"] === "string" ? config["chat_template"] : template;
  const segments = model["type_vocab_size"];
  const entries: Entries = [
    ...(pieces && typeof segments === "number" ? ([["token_type_count", { type: "u32", value: segments }]] as const) : []),
    ["model", own.get("model")!],
    ["pre", own.get("pre")!],
    ["tokens", own.get("tokens") ?? { type: "array", items: "string", value: tokens }],
    ...[...own].filter(([key]) => key === "scores"),
    ["token_type", { type: "array", items: "i32", value: kinds }],
    ...[...own].filter(([key]) => !["model", "pre", "tokens", "scores"].includes(key)),
    ...ids,
    ...flags,
  ];
  return new Map<string, GgufValue>([
    ...entries.map(([key, value]) => [`tokenizer.ggml.${key}`, value] as const),
    ...(chat === undefined ? [] : ([["tokenizer.chat_template", text(chat)]] as const)),
  ]);
}
