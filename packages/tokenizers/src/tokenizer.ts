import { type JsonValue, parseStrictJson, plainJson } from "@weft/io-safetensors";
import { type AddedToken, readAddedTokens } from "./added/added-token.js";
import { tokenFinder, type TokenFinder } from "./added/find-tokens.js";
import { DecodeStream } from "./decode-stream.js";
import type { Decoder } from "./decoders/decoder.js";
import { readDecoder } from "./decoders/index.js";
import { tokenBytesOf } from "./decoders/token-bytes.js";
import { concatenate, type Encoding, type Offsets } from "./encoding/encoding.js";
import { pad, type Padding, readPadding } from "./encoding/padding.js";
import { checkTruncation, readTruncation, truncate, type Truncation } from "./encoding/truncation.js";
import { Field } from "./json/fields.js";
import type { PlainJson } from "./json/plain.js";
import type { Reader } from "./json/read-component.js";
import { MAX_TOKENIZER_BYTES } from "./limits.js";
import { readModel } from "./models/index.js";
import type { Model, Token } from "./models/model.js";
import { readNormalizer } from "./normalizers/index.js";
import type { Normalizer } from "./normalizers/normalizer.js";
import { readPostProcessor } from "./post-processors/index.js";
import type { PostProcessor } from "./post-processors/post-processor.js";
import { readPreTokenizer } from "./pre-tokenizers/index.js";
import type { PreTokenizer } from "./pre-tokenizers/pre-tokenizer.js";
import { wellFormed } from "./text/characters.js";
import { codePointIndex } from "./text/code-points.js";
import { NormalizedString } from "./text/normalized-string.js";
import { optionError } from "./tokenizer-error.js";
import type { DecodeOptions, EncodeOneOptions, EncodeOptions, OffsetUnit, TextInput } from "./tokenizer-options.js";

/** A piece of a text, with its tokens once it has been taken apart. */
interface Split {
  readonly piece: NormalizedString;
  readonly tokens?: readonly Token[];
}

/** A part of a file that may be missing. */
const optional = <T>(field: Field, read: Reader<T>): T | undefined => (field.absent ? undefined : read(field));

/** Turns texts into the ids of a vocabulary, and back. @see tokenizers `tokenizer/mod.rs` TokenizerImpl */
export class Tokenizer {
  readonly #model: Model;
  readonly #root: Field;
  readonly #normalizer: Normalizer | undefined;
  readonly #preTokenizer: PreTokenizer | undefined;
  readonly #postProcessor: PostProcessor | undefined;
  readonly #decoder: Decoder | undefined;
  #tokenBytes: ((token: string) => Uint8Array) | undefined;
  readonly #truncation: Truncation | undefined;
  readonly #padding: Padding | undefined;
  readonly #added: ReadonlyMap<number, AddedToken>;
  readonly #addedIds: ReadonlyMap<string, number>;
  /** What ids of added tokens that are found in normalized text decode to. */
  readonly #normalizedContents: ReadonlyMap<number, string>;
  readonly #findRaw: TokenFinder;
  readonly #findNormalized: TokenFinder;

  /**
   * @param root a file's object, whose `model` is not read
   * @throws FormatError as `fromJson`
   */
  constructor(model: Model, root: Field) {
    this.#model = model;
    this.#root = root;
    this.#normalizer = optional(root.at("normalizer"), readNormalizer);
    this.#preTokenizer = optional(root.at("pre_tokenizer"), readPreTokenizer);
    this.#postProcessor = optional(root.at("post_processor"), readPostProcessor);
    this.#decoder = optional(root.at("decoder"), readDecoder);
    this.#truncation = optional(root.at("truncation"), readTruncation);
    this.#padding = optional(root.at("padding"), readPadding);
    // The vocabulary knows better which id a token of its has.
    const added = readAddedTokens(root.at("added_tokens")).map((token) => ({ ...token, id: model.idOf(token.content) ?? token.id }));
    this.#added = new Map(added.map((token) => [token.id, token]));
    this.#addedIds = new Map(added.map(({ content, id }) => [content, id]));
    const tokens = [...this.#added.values()];
    this.#findRaw = tokenFinder(tokens.filter(({ normalized }) => !normalized).map((token) => [token.content, token]));
    const normalized = tokens.filter((token) => token.normalized);
    this.#normalizedContents = new Map(normalized.map(({ id, content }) => [id, this.normalize(content)]));
    this.#findNormalized = tokenFinder(normalized.map((token) => [this.#normalizedContents.get(token.id)!, token]));
  }

  /**
   * The tokenizer of a `tokenizer.json`.
   * @param source its text or bytes
   * @param file how messages call it
   * @throws FormatError kinds `tokenizer-json`, `tokenizer-schema`, `tokenizer-merge`, `unsafe-regex`, `duplicate-key`, `limit`; ConfigError kind
   * `regex-not-loaded`
   */
  static fromJson(source: string | Uint8Array, file = "tokenizer.json"): Tokenizer {
    const bytes = typeof source === "string" ? new TextEncoder().encode(source) : source;
    const kinds = { utf8: "tokenizer-json", json: "tokenizer-json" } as const;
    const root = new Field(parseStrictJson(bytes, { file, kinds, maxBytes: MAX_TOKENIZER_BYTES }), "$", file);
    const version = root.at("version");
    if (!version.absent && version.string() !== "1.0") throw version.wrong('"1.0"');
    return new Tokenizer(readModel(root.at("model")), root);
  }

  /** Tokens of the vocabulary and beside it, with their ids. */
  get vocabulary(): Map<string, number> {
    return new Map([...this.#model.entries(), ...this.#addedIds]);
  }

  /** Tokens beside the vocabulary. */
  get addedTokens(): readonly AddedToken[] {
    return [...this.#added.values()];
  }

  /** The id of a token. */
  tokenToId(token: string): number | undefined {
    return this.#addedIds.get(token) ?? this.#model.idOf(token);
  }

  /** The token of an id. */
  idToToken(id: number): string | undefined {
    return this.#added.get(id)?.content ?? this.#model.tokenOf(id);
  }

  /**
   * The UTF-8 bytes, or part of them, that an id stands for within a text: at its beginning, decoding may leave out a space. @returns undefined of special tokens and where
   * there is no token
   * @throws CapabilityError kind `no-token-bytes` of tokenizers whose tokens are not parts of a text by themselves, as WordPiece's
   */
  tokenBytes(id: number): Uint8Array | undefined {
    this.#tokenBytes ??= tokenBytesOf(this.#root.at("decoder"));
    const token = this.#normalizedContents.get(id) ?? this.idToToken(id);
    return token === undefined || this.#added.get(id)?.special ? undefined : this.#tokenBytes(token);
  }

  /** What is done to a text before it is split. */
  normalize(text: string): string {
    return this.#normalize(new NormalizedString(wellFormed(text))).text;
  }

  /** The words that a text is split into before they become tokens, with their places in UTF-16 units; added tokens are not looked for. */
  preTokenize(text: string): { readonly word: string; readonly offsets: Offsets }[] {
    const pieces = this.#split(this.#normalize(new NormalizedString(wellFormed(text))));
    return pieces.map((piece) => ({ word: piece.text, offsets: [piece.startAt(0), piece.endAt(piece.text.length - 1)] }));
  }

  /**
   * A text, or a pair, as tokens.
   * @throws ConfigError kinds `unknown-token`, `tokenizer-option`
   */
  encode(text: TextInput, options: EncodeOneOptions = {}): Encoding {
    return this.encodeBatch([options.pair === undefined ? text : { text, pair: options.pair }], options)[0]!;
  }

  /** Texts, or pairs, as tokens; what padding there is brings them to one length. @throws as `encode` */
  encodeBatch(
    inputs: readonly (TextInput | { readonly text: TextInput; readonly pair: TextInput })[],
    options: EncodeOptions = {},
  ): Encoding[] {
    const encodings = inputs.map((input) =>
      this.#encode(typeof input === "object" && "pair" in input ? [input.text, input.pair] : [input as TextInput], options),
    );
    const padding = this.#paddingOf(options.padding);
    return padding ? pad(encodings, padding) : encodings;
  }

  /**
   * The text that ids stand for; of added tokens that are found in normalized text, their normalized content. Ids that no token has are left out, as in the
   * Python library.
   */
  decode(ids: Iterable<number>, { skipSpecialTokens = true }: DecodeOptions = {}): string {
    const tokens: string[] = [];
    for (const id of ids) {
      const token = this.#normalizedContents.get(id) ?? this.idToToken(id);
      if (token !== undefined && !(skipSpecialTokens && this.#added.get(id)?.special)) tokens.push(token);
    }
    return this.#decoder ? this.#decoder(tokens).join("") : tokens.join(" ");
  }

  /** Decodes ids one by one, as a model makes them. */
  decodeStream(options: DecodeOptions = {}): DecodeStream {
    return new DecodeStream((ids) => this.decode(ids, options));
  }

  /** The object of a `tokenizer.json` that `fromJson` and the Python library read; undefined of an RWKV vocabulary, which has none. */
  toJson(): { [field: string]: PlainJson } | undefined {
    const model = this.#model.toJson();
    if (model === undefined) return undefined;
    const part = (name: string): PlainJson =>
      this.#root.at(name).absent ? null : (plainJson(this.#root.at(name).value as JsonValue) as PlainJson);
    const added = [...this.#added.values()].toSorted((a, b) => a.id - b.id);
    return {
      version: "1.0",
      truncation: part("truncation"),
      padding: part("padding"),
      added_tokens: added.map(({ id, content, singleWord, lstrip, rstrip, normalized, special }) => ({
        id,
        content,
        single_word: singleWord,
        lstrip,
        rstrip,
        normalized,
        special,
      })),
      normalizer: part("normalizer"),
      pre_tokenizer: part("pre_tokenizer"),
      post_processor: part("post_processor"),
      decoder: part("decoder"),
      model,
    };
  }

  #normalize(piece: NormalizedString): NormalizedString {
    return this.#normalizer ? this.#normalizer(piece) : piece;
  }

  #split(piece: NormalizedString): NormalizedString[] {
    return this.#preTokenizer ? this.#preTokenizer(piece).filter(({ text }) => text !== "") : piece.text === "" ? [] : [piece];
  }

  #encode(texts: readonly TextInput[], options: EncodeOptions): Encoding {
    const { addSpecialTokens = true } = options;
    const encodings = texts.map((text, sequence) =>
      typeof text === "string"
        ? this.#encodeText(text, sequence, undefined, options)
        : concatenate(text.map((word, i) => this.#encodeText(word, sequence, i, options))),
    );
    const truncation = this.#truncationOf(options.truncation);
    const cut = truncation ? truncate(encodings, this.#room(truncation, texts.length === 2, addSpecialTokens), truncation) : encodings;
    return concatenate(this.#postProcessor ? this.#postProcessor.process(cut, addSpecialTokens) : cut);
  }

  /** How many tokens a text or pair has room for beside those that the template adds. */
  #room(truncation: Truncation, pair: boolean, addSpecialTokens: boolean): number {
    checkTruncation(truncation);
    const added = addSpecialTokens ? (this.#postProcessor?.added(pair) ?? 0) : 0;
    if (truncation.maxLength < added)
      throw optionError(`truncation: maxLength is ${truncation.maxLength}, and the template alone adds ${added} tokens`);
    return truncation.maxLength - added;
  }

  #truncationOf(option: EncodeOptions["truncation"]): Truncation | undefined {
    if (option === undefined) return this.#truncation;
    if (option === false) return undefined;
    return typeof option === "number" ? { ...this.#truncation, maxLength: option } : option;
  }

  #paddingOf(option: EncodeOptions["padding"]): Padding | undefined {
    if (option === undefined) return this.#padding;
    if (option === false) return undefined;
    if (option === true) return { ...this.#padding, length: undefined };
    return typeof option === "number" ? { ...this.#padding, length: option } : option;
  }

  #encodeText(
    text: string,
    sequence: number,
    word: number | undefined,
    { offsetUnit = "utf-16", encodeSpecialTokens = false }: EncodeOptions,
  ): Encoding {
    const splits = this.#splits(wellFormed(text), encodeSpecialTokens);
    const at = offsets(text, offsetUnit);
    const ids: number[] = [];
    const tokens: string[] = [];
    const places: Offsets[] = [];
    const wordIds: number[] = [];
    for (let i = 0; i < splits.length; i++) {
      const { piece, tokens: own } = splits[i]!;
      for (const { id, value, start, end } of own ?? this.#model.tokenize(piece.text)) {
        ids.push(id);
        tokens.push(value);
        places.push([at(piece.startAt(start)), at(piece.endAt(end - 1))]);
        wordIds.push(word ?? i);
      }
    }
    const all = (value: number): number[] => new Array<number>(ids.length).fill(value);
    return {
      ids,
      tokens,
      offsets: places,
      typeIds: all(sequence),
      specialTokensMask: all(0),
      attentionMask: all(1),
      wordIds,
      sequenceIds: all(sequence),
      overflowing: [],
    };
  }

  /** The words of a text, and the added tokens between them. */
  #splits(text: string, encodeSpecialTokens: boolean): Split[] {
    const raw = extract(new NormalizedString(text), this.#findRaw, encodeSpecialTokens);
    const normalized = raw.flatMap((split) =>
      split.tokens ? [split] : extract(this.#normalize(split.piece), this.#findNormalized, encodeSpecialTokens),
    );
    return normalized.flatMap((split) => (split.tokens ? [split] : this.#split(split.piece).map((piece) => ({ piece }))));
  }
}

/** Positions in UTF-16 units as those of another unit. */
function offsets(text: string, unit: OffsetUnit): (at: number) => number {
  if (unit === "utf-16") return (at) => at;
  if (unit !== "code-point") throw optionError(`offsetUnit is ${JSON.stringify(unit)}, expected "utf-16" or "code-point"`);
  return codePointIndex(text);
}

/** Takes added tokens out of a piece. */
function extract(piece: NormalizedString, find: TokenFinder, skipSpecial: boolean): Split[] {
  const splits: Split[] = [];
  let done = 0;
  for (const { token, from, to } of find(piece.text, skipSpecial)) {
    if (from > done) splits.push({ piece: piece.slice(done, from) });
    if (to > from) {
      const found = piece.slice(from, to);
      splits.push({ piece: found, tokens: [{ id: token.id, value: found.text, start: 0, end: to - from }] });
    }
    done = to;
  }
  if (done < piece.text.length) splits.push({ piece: piece.slice(done, piece.text.length) });
  return splits;
}
