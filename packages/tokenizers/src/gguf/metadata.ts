import type { FormatError } from "@weft/tensor-core";
import { MAX_TOKEN_ID, MAX_TOKENS } from "../limits.js";
import { tokenizerError } from "../tokenizer-error.js";

/** Metadata of a GGUF file, as `@weft/io-gguf` gives it. */
export interface GgufMetadataLike {
  get(key: string): { readonly value: unknown } | undefined;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** What the metadata say of the tokenizer, by keys without `tokenizer.ggml.`. */
export class TokenizerMetadata {
  readonly #metadata: GgufMetadataLike;
  readonly #file: string | undefined;

  constructor(metadata: GgufMetadataLike, file?: string) {
    this.#metadata = metadata;
    this.#file = file;
  }

  #value(key: string): unknown {
    return this.#metadata.get(`tokenizer.ggml.${key}`)?.value;
  }

  /** @returns the error to throw */
  wrong(key: string, expected: string, kind: "tokenizer-metadata" | "tokenizer-merge" | "limit" = "tokenizer-metadata"): FormatError {
    return tokenizerError(kind, expected, { file: this.#file, path: `tokenizer.ggml.${key}` });
  }

  has(key: string): boolean {
    return this.#value(key) !== undefined;
  }

  text(key: string): string {
    const value = this.#value(key);
    if (typeof value !== "string") throw this.wrong(key, `expected a text, got ${value === undefined ? "nothing" : typeof value}`);
    return value;
  }

  flag(key: string, otherwise: boolean): boolean {
    const value = this.#value(key) ?? otherwise;
    if (typeof value !== "boolean") throw this.wrong(key, "expected true or false");
    return value;
  }

  /** An id of a token. */
  id(key: string, tokens: readonly string[]): number | undefined {
    const value = this.#value(key);
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value >= tokens.length || value > MAX_TOKEN_ID)
      throw this.wrong(key, `expected the id of one of ${tokens.length} tokens, got ${String(value)}`);
    return value;
  }

  /** A list of texts; bytes that are no UTF-8 are read with U+FFFD in their place. */
  texts(key: string): string[] {
    const value = this.#value(key);
    if (!Array.isArray(value)) throw this.wrong(key, "expected a list of texts");
    if (value.length > MAX_TOKENS) throw this.wrong(key, `${value.length} texts, at most ${MAX_TOKENS} are read`, "limit");
    return value.map((one: unknown) => {
      if (one instanceof Uint8Array) return decoder.decode(one);
      if (typeof one !== "string") throw this.wrong(key, "expected a list of texts");
      return one;
    });
  }

  /** A list of numbers, one of each token; undefined if there is none. */
  numbers(key: string, tokens: readonly string[]): ArrayLike<number> | undefined {
    const value = this.bytes(key);
    if (value !== undefined && value.length !== tokens.length)
      throw this.wrong(key, `expected ${tokens.length} numbers, got ${value.length}`);
    return value;
  }

  /** A list of numbers; undefined if there is none. */
  bytes(key: string): ArrayLike<number> | undefined {
    const value = this.#value(key);
    if (value === undefined) return undefined;
    const isList = Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
    const list = value as ArrayLike<unknown>;
    if (!isList || (list.length > 0 && typeof list[0] !== "number")) throw this.wrong(key, "expected a list of numbers");
    return list as ArrayLike<number>;
  }
}
