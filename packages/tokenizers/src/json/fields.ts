import { JsonNumber, type JsonValue, show } from "@weft/io-safetensors";
import type { FormatError } from "@weft/tensor-core";
import { MAX_TOKEN_ID } from "../limits.js";
import { tokenizerError } from "../tokenizer-error.js";

/** What messages call a value. */
function describe(value: JsonValue | undefined): string {
  if (value === undefined) return "nothing";
  if (value instanceof JsonNumber) return value.text;
  if (typeof value === "string") return show(value);
  if (value instanceof Map) return "an object";
  return Array.isArray(value) ? "a list" : String(value);
}

/** A value of a tokenizer's file, with its place in it; reading it as something else is an error that names the place. */
export class Field {
  readonly value: JsonValue | undefined;
  /** As `$.model.vocab`. */
  readonly path: string;
  readonly file: string | undefined;

  constructor(value: JsonValue | undefined, path: string, file?: string) {
    this.value = value;
    this.path = path;
    this.file = file;
  }

  /** Neither there nor null. */
  get absent(): boolean {
    return this.value === undefined || this.value === null;
  }

  /** @returns the error to throw */
  wrong(expected: string): FormatError {
    return this.error(`expected ${expected}, got ${describe(this.value)}`);
  }

  /** @returns the error to throw, for a value of the right type */
  error(
    message: string,
    kind: "tokenizer-schema" | "tokenizer-merge" | "limit" | "unsafe-regex" = "tokenizer-schema",
    hint?: string,
  ): FormatError {
    return tokenizerError(kind, message, { file: this.file, path: this.path, ...(hint !== undefined && { hint }) });
  }

  get map(): Map<string, JsonValue> {
    if (!(this.value instanceof Map)) throw this.wrong("an object");
    return this.value;
  }

  get list(): JsonValue[] {
    if (!Array.isArray(this.value)) throw this.wrong("a list");
    return this.value;
  }

  /** A member of an object. */
  at(name: string): Field {
    return new Field(this.map.get(name), `${this.path}.${name}`, this.file);
  }

  /** The elements of a list. */
  items(): Field[] {
    return this.list.map((value, i) => new Field(value, `${this.path}[${i}]`, this.file));
  }

  string(otherwise?: string): string {
    if (this.absent && otherwise !== undefined) return otherwise;
    if (typeof this.value !== "string") throw this.wrong("a string");
    return this.value;
  }

  /** A single Unicode character. */
  character(): string {
    const text = this.string();
    if ([...text].length !== 1) throw this.wrong("one character");
    return text;
  }

  boolean(otherwise?: boolean): boolean {
    if (this.absent && otherwise !== undefined) return otherwise;
    if (typeof this.value !== "boolean") throw this.wrong("true or false");
    return this.value;
  }

  number(otherwise?: number): number {
    if (this.absent && otherwise !== undefined) return otherwise;
    if (!(this.value instanceof JsonNumber) || !Number.isFinite(this.value.value)) throw this.wrong("a number");
    return this.value.value;
  }

  /** An integer from 0 to `most`, written in plain digits. */
  integer(otherwise?: number, most: number = MAX_TOKEN_ID): number {
    if (this.absent && otherwise !== undefined) return otherwise;
    if (!(this.value instanceof JsonNumber) || !/^\d+$/.test(this.value.text) || this.value.value > most)
      throw this.wrong(`an integer from 0 to ${most}`);
    return this.value.value;
  }

  /** One of several words. */
  oneOf<T extends string>(words: readonly T[], otherwise?: T): T {
    if (this.absent && otherwise !== undefined) return otherwise;
    const found = words.find((word) => word === this.value);
    if (found === undefined) throw this.wrong(words.map((word) => `"${word}"`).join(" or "));
    return found;
  }
}
