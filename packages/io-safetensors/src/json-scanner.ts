import { FormatError } from "@weft/tensor-core";
import { show } from "./format-error.js";

/** Deepest nesting that is read: what the reference stops at; unbounded recursion would end in a stack overflow. */
export const MAX_JSON_DEPTH = 128;

/** Names of the error kinds, so that a header and a config say different things for the same fault. */
export interface JsonKinds {
  readonly utf8: string;
  readonly json: string;
}

/** A number as it is spelled: `2`, `2.0` and `2e0` are told apart, integers keep all digits. */
export class JsonNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  get value(): number {
    return Number(this.text);
  }

  /** The exact value of plain digits without sign, point or exponent, below 2^64; else undefined. */
  get unsigned(): number | bigint | undefined {
    return parseUnsigned(this.text);
  }
}

const U64_END = 2n ** 64n;

/** Plain digits as an exact integer below 2^64: a number where it is safe, else a bigint. */
function parseUnsigned(text: string): number | bigint | undefined {
  // 2^64 has 20 digits; converting more takes time that grows with their square.
  if (text.length > 20 || !/^\d+$/.test(text)) return undefined;
  if (text.length < 16) return Number(text);
  const big = BigInt(text);
  if (big >= U64_END) return undefined;
  return big <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(big) : big;
}

export type JsonValue = null | boolean | string | JsonNumber | JsonValue[] | Map<string, JsonValue>;

const WORDS = { t: ["true", true], f: ["false", false], n: ["null", null] } as const;

/** Tells the keys of one object apart: an array while there are few, as in the million entries of a large header. */
function seenKeys(): (key: string) => boolean {
  const few: string[] = [];
  let many: Set<string> | undefined;
  return (key) => {
    if (many ? many.has(key) : few.includes(key)) return true;
    if (many) many.add(key);
    else if (few.push(key) === 8) many = new Set(few);
    return false;
  };
}

/**
 * Strict JSON out of bytes: strict UTF-8, no byte order mark, no repeated keys, no lone surrogates, bounded depth.
 * Objects are Maps in the order of the file. `JSON.parse` merges repeated keys, rounds large integers,
 * takes lone surrogates and any depth, and loses a key `__proto__`.
 */
export class JsonScanner {
  private readonly text: string;
  private at = 0;
  private readonly file: string | undefined;
  private readonly kinds: JsonKinds;
  private readonly start: number;

  /** @param start position of `bytes` in the file, for messages */
  constructor(bytes: Uint8Array, kinds: JsonKinds, file?: string, start = 0) {
    this.kinds = kinds;
    this.file = file;
    this.start = start;
    this.text = "";
    try {
      this.text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch (cause) {
      throw this.error("the text is not valid UTF-8", kinds.utf8, cause);
    }
  }

  /** The next character that is not white space; empty at the end. */
  peek(): string {
    this.skipSpace();
    return this.text.charAt(this.at);
  }

  /** Nothing but white space may follow. */
  end(): void {
    if (this.peek() !== "") throw this.unexpected("the end");
  }

  /** Members of an object, whose brace is next; calls `member` at each value. @throws FormatError kind `duplicate-key` */
  object(member: (key: string) => void, seen: (key: string) => boolean = seenKeys()): void {
    this.list("{", "}", () => {
      if (this.peek() !== '"') throw this.unexpected("a key");
      const key = this.string();
      if (seen(key)) throw this.error(`key ${show(key)} occurs twice`, "duplicate-key");
      this.expect(":");
      member(key);
    });
  }

  /** Elements of an array, whose bracket is next; calls `element` at each. */
  array(element: () => void): void {
    this.list("[", "]", element);
  }

  string(): string {
    this.expect('"');
    const { text } = this;
    const begin = this.at;
    let escaped = false;
    for (let c = 0; (c = text.charCodeAt(this.at)) !== 34; this.at++) {
      if (c === 92) {
        escaped = true;
        this.at++;
      } else if (!(c >= 32)) throw this.unexpected("the end of a string");
    }
    const raw = text.slice(begin, this.at++);
    if (!escaped) return raw;
    let result: string;
    try {
      // Only the escapes are left to check, and those it reads by the letter.
      result = JSON.parse(`"${raw}"`) as string;
    } catch (cause) {
      throw this.error(`string ${show(raw)} has an unknown escape`, this.kinds.json, cause);
    }
    if (/\p{Surrogate}/u.test(result)) throw this.error("a surrogate stands alone", this.kinds.json);
    return result;
  }

  number(): JsonNumber {
    this.skipSpace();
    const begin = this.at;
    this.optional("-");
    if (!this.optional("0")) this.digits();
    if (this.optional(".")) this.digits();
    if (this.optional("eE")) {
      this.optional("+-");
      this.digits();
    }
    return new JsonNumber(this.text.slice(begin, this.at));
  }

  /** A number, as `JsonNumber.unsigned` gives it; plain digits, which headers are full of, without making an object. */
  unsigned(): number | bigint | undefined {
    this.skipSpace();
    const { text } = this;
    let value = 0;
    let i = this.at;
    for (let c = 0; (c = text.charCodeAt(i) - 48) >= 0 && c <= 9; i++) value = value * 10 + c;
    const length = i - this.at;
    const next = text.charAt(i);
    if (length === 0 || length > 15 || (length > 1 && text.charAt(this.at) === "0") || (next !== "," && next !== "]"))
      return this.number().unsigned;
    this.at = i;
    return value;
  }

  /** Any value. With `keep` false it is checked and forgotten, so that nothing large is built of what nobody reads. */
  value(depth = 1, keep = true): JsonValue {
    if (depth > MAX_JSON_DEPTH) throw this.error(`values are nested more than ${MAX_JSON_DEPTH} deep`, this.kinds.json);
    const c = this.peek();
    if (c === "{") {
      const map = new Map<string, JsonValue>();
      this.object((key) => {
        const value = this.value(depth + 1, keep);
        if (keep) map.set(key, value);
      });
      return map;
    }
    if (c === "[") {
      const list: JsonValue[] = [];
      this.array(() => {
        const value = this.value(depth + 1, keep);
        if (keep) list.push(value);
      });
      return list;
    }
    if (c === '"') return this.string();
    if (c === "t" || c === "f" || c === "n") {
      const [word, value] = WORDS[c];
      if (!this.text.startsWith(word, this.at)) throw this.unexpected("a value");
      this.at += word.length;
      return value;
    }
    return this.number();
  }

  error(message: string, kind: string, cause?: unknown): FormatError {
    const byte = this.start + new TextEncoder().encode(this.text.slice(0, this.at)).byteLength;
    return new FormatError(`${this.file ?? "JSON"}: ${message} (byte ${byte})`, {
      kind,
      byte,
      cause,
      ...(this.file !== undefined && { file: this.file }),
    });
  }

  private list(open: string, close: string, item: () => void): void {
    this.expect(open);
    if (this.take(close)) return;
    do item();
    while (this.take(","));
    this.expect(close);
  }

  private take(c: string): boolean {
    this.skipSpace();
    if (this.text.charAt(this.at) !== c) return false;
    this.at++;
    return true;
  }

  private expect(c: string): void {
    if (!this.take(c)) throw this.unexpected(`"${c}"`);
  }

  private unexpected(expected: string): FormatError {
    const got = this.text.charAt(this.at);
    return this.error(`expected ${expected}, got ${got === "" ? "the end" : show(got)}`, this.kinds.json);
  }

  private skipSpace(): void {
    for (let c = 0; (c = this.text.charCodeAt(this.at)) === 32 || c === 10 || c === 13 || c === 9;) this.at++;
  }

  /** Takes the next character if it is one of these. */
  private optional(of: string): boolean {
    const found = this.at < this.text.length && of.includes(this.text.charAt(this.at));
    if (found) this.at++;
    return found;
  }

  private digits(): void {
    const begin = this.at;
    for (let c = 0; (c = this.text.charCodeAt(this.at)) >= 48 && c <= 57;) this.at++;
    if (this.at === begin) throw this.unexpected("a digit");
  }
}

/** Largest config or index that is read: ten times anything seen, small enough to be held. */
export const MAX_CONFIG_BYTES: number = 1 << 20;

export interface StrictJsonOptions {
  readonly file?: string;
  /** Kinds of the errors; `config-json` for both if not given. */
  readonly kinds?: JsonKinds;
  /** `MAX_CONFIG_BYTES` if not given. */
  readonly maxBytes?: number;
}

/**
 * A whole strict JSON text. Numbers stay as spelled (`JsonNumber`), objects are Maps.
 * @throws FormatError kinds `limit`, `duplicate-key` and those of `options.kinds`
 */
export function parseStrictJson(bytes: Uint8Array, options: StrictJsonOptions = {}): JsonValue {
  const { file, kinds = { utf8: "config-json", json: "config-json" }, maxBytes = MAX_CONFIG_BYTES } = options;
  if (bytes.byteLength > maxBytes)
    throw new FormatError(`${file ?? "JSON"}: ${bytes.byteLength} bytes, at most ${maxBytes} are read`, {
      kind: "limit",
      ...(file === undefined ? {} : { file }),
    });
  const scanner = new JsonScanner(bytes, kinds, file);
  const value = scanner.value();
  scanner.end();
  return value;
}

/** A parsed value with plain numbers and plain objects (without prototype), for code that has checked what it holds. */
export function plainJson(value: JsonValue): unknown {
  if (value instanceof JsonNumber) return value.value;
  if (Array.isArray(value)) return value.map(plainJson);
  if (!(value instanceof Map)) return value;
  const record: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [key, member] of value) record[key] = plainJson(member);
  return record;
}
