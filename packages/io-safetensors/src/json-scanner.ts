import { FormatError, type WeftErrorKind } from "@weft/tensor-core";
import { show } from "./format-error.js";

/** Deepest nesting that is read: what the reference stops at; unbounded recursion would end in a stack overflow. */
export const MAX_JSON_DEPTH = 128;

/** Names of the error kinds, so that a header and a config say different things for the same fault. */
export interface JsonKinds {
  readonly utf8: WeftErrorKind<"format">;
  readonly json: WeftErrorKind<"format">;
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
}

const U64_END = 2n ** 64n;

/** A value of strict JSON: objects are Maps in the order of the file, numbers keep their spelling. */
export type JsonValue = null | boolean | string | JsonNumber | JsonValue[] | Map<string, JsonValue>;

const WORDS: { readonly [first: string]: string } = { t: "true", f: "false", n: "null" };

/** Tells the keys of one object apart. */
function seenKeys(): (key: string) => boolean {
  const keys = new Set<string>();
  return (key) => keys.size === keys.add(key).size;
}

/** Refuses what is not valid, keeps byte order marks. */
const utf8 = (): TextDecoder => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** Bytes that are checked for UTF-8 at a time. */
const PIECE = 1 << 16;

/**
 * Strict JSON out of bytes: strict UTF-8, no byte order mark, no repeated keys, no lone surrogates, bounded depth.
 * Objects are Maps in the order of the file. `JSON.parse` merges repeated keys, rounds large integers,
 * takes lone surrogates and any depth, and loses a key `__proto__`. Scans bytes, as the text of a header of 100 MB would take as much again.
 */
export class JsonScanner {
  readonly #bytes: Uint8Array;
  readonly #kinds: JsonKinds;
  readonly #file: string | undefined;
  readonly #start: number;
  /** Not the one that checked: in Node a decoder that has seen a stream takes another way, which needs far more memory. */
  readonly #decoder = utf8();
  /** The last short strings, by their ends: the fields and dtypes that every entry repeats are decoded once. */
  readonly #recent: (string | undefined)[] = [];
  #at = 0;

  /** @param start position of `bytes` in the file, for messages */
  constructor(bytes: Uint8Array, kinds: JsonKinds, file?: string, start = 0) {
    this.#bytes = bytes;
    this.#kinds = kinds;
    this.#file = file;
    this.#start = start;
    const check = utf8();
    try {
      for (let at = 0; at < bytes.byteLength; at += PIECE) check.decode(bytes.subarray(at, at + PIECE), { stream: true });
      check.decode();
    } catch (cause) {
      throw this.#error("the text is not valid UTF-8", kinds.utf8, cause);
    }
  }

  /** The next byte that is not white space, as a character; empty at the end. */
  peek(): string {
    this.#skipSpace();
    const c = this.#bytes[this.#at];
    return c === undefined ? "" : String.fromCharCode(c);
  }

  /** Nothing but white space may follow. */
  end(): void {
    if (this.peek() !== "") throw this.#unexpected("the end");
  }

  /** Members of an object, whose brace is next; calls `member` at each value. @throws FormatError kind `duplicate-key` */
  object(member: (key: string) => void, seen: (key: string) => boolean = seenKeys()): void {
    this.#list("{", "}", () => {
      if (this.peek() !== '"') throw this.#unexpected("a key");
      const key = this.string();
      if (seen(key)) throw this.#error(`key ${show(key)} occurs twice`, "duplicate-key");
      this.#expect(":");
      member(key);
    });
  }

  /** Elements of an array, whose bracket is next; calls `element` at each. */
  array(element: () => void): void {
    this.#list("[", "]", element);
  }

  string(): string {
    this.#expect('"');
    const bytes = this.#bytes;
    const begin = this.#at;
    let escaped = false;
    for (let c: number | undefined; (c = bytes[this.#at]) !== 34; this.#at++) {
      if (c === 92) {
        escaped = true;
        this.#at++;
      } else if (!(c! >= 32)) throw this.#unexpected("the end of a string");
    }
    const raw = this.#decode(begin, this.#at++);
    if (!escaped) return raw;
    let result: string;
    try {
      // Only the escapes are left to check, and those it reads by the letter.
      result = JSON.parse(`"${raw}"`) as string;
    } catch (cause) {
      throw this.#error(`string ${show(raw)} has an unknown escape`, this.#kinds.json, cause);
    }
    if (/\p{Surrogate}/u.test(result)) throw this.#error("a surrogate stands alone", this.#kinds.json);
    return result;
  }

  /** Any value; the exact one of plain digits below 2^64, a number where that is safe, else a bigint; undefined of all others. */
  unsigned(): number | bigint | undefined {
    this.#skipSpace();
    const bytes = this.#bytes;
    let value = 0;
    let i = this.#at;
    for (let c = 0; (c = bytes[i]! - 48) >= 0 && c <= 9; i++) value = value * 10 + c;
    const length = i - this.#at;
    // 44 and 93 are the comma and the bracket that end it, 48 is a zero that leads.
    if (length === 0 || length > 15 || (length > 1 && bytes[this.#at] === 48) || (bytes[i] !== 44 && bytes[i] !== 93)) {
      const other = this.value(4, false);
      const text = other instanceof JsonNumber ? other.text : "";
      // 2^64 has 20 digits; converting more takes time that grows with their square.
      const exact = /^\d{1,20}$/.test(text) ? BigInt(text) : U64_END;
      if (exact >= U64_END) return undefined;
      return exact <= Number.MAX_SAFE_INTEGER ? Number(exact) : exact;
    }
    this.#at = i;
    return value;
  }

  /** Any value. With `keep` false it is checked and forgotten, so that nothing large is built of what nobody reads. */
  value(depth = 1, keep = true): JsonValue {
    if (depth > MAX_JSON_DEPTH) throw this.#error(`values are nested more than ${MAX_JSON_DEPTH} deep`, this.#kinds.json);
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
    const word = WORDS[c];
    if (word === undefined) return this.#number();
    for (let i = 0; i < word.length; i++) if (this.#bytes[this.#at + i] !== word.charCodeAt(i)) throw this.#unexpected("a value");
    this.#at += word.length;
    return JSON.parse(word) as JsonValue;
  }

  #error(message: string, kind: WeftErrorKind<"format">, cause?: unknown): FormatError {
    const byte = this.#start + this.#at;
    const file = this.#file;
    return new FormatError(`${file ?? "JSON"}: ${message} (byte ${byte})`, { kind, byte, cause, ...(file !== undefined && { file }) });
  }

  #list(open: string, close: string, item: () => void): void {
    this.#expect(open);
    if (this.#take(close)) return;
    do item();
    while (this.#take(","));
    this.#expect(close);
  }

  #take(c: string): boolean {
    this.#skipSpace();
    if (this.#bytes[this.#at] !== c.charCodeAt(0)) return false;
    this.#at++;
    return true;
  }

  #expect(c: string): void {
    if (!this.#take(c)) throw this.#unexpected(`"${c}"`);
  }

  #unexpected(expected: string): FormatError {
    // Up to four bytes are one character; what is cut off after it is of no interest.
    const [got] = new TextDecoder().decode(this.#bytes.subarray(this.#at, this.#at + 4));
    return this.#error(`expected ${expected}, got ${got === undefined ? "the end" : show(got)}`, this.#kinds.json);
  }

  #decode(begin: number, end: number): string {
    const bytes = this.#bytes;
    const length = end - begin;
    const slot = (length * 5 + bytes[begin]!) & 63;
    const recent = this.#recent[slot];
    if (recent?.length === length) {
      let i = 0;
      while (i < length && recent.charCodeAt(i) === bytes[begin + i]) i++;
      if (i === length) return recent;
    }
    const text = this.#decoder.decode(bytes.subarray(begin, end));
    // As many characters as bytes: plain ASCII, which alone compares as above.
    if (length < 16 && text.length === length) this.#recent[slot] = text;
    return text;
  }

  #skipSpace(): void {
    for (let c: number | undefined; (c = this.#bytes[this.#at]) === 32 || c === 10 || c === 13 || c === 9;) this.#at++;
  }

  #number(): JsonNumber {
    let end = this.#at;
    // Digits, signs, the point and the letter E.
    for (let c = 0; (c = this.#bytes[end]!) > 42 && c < 58 ? c !== 44 && c !== 47 : (c | 32) === 101;) end++;
    const text = this.#decode(this.#at, end);
    if (!/^-?(0|[1-9]\d*)(\.\d+)?(e[-+]?\d+)?$/i.test(text)) throw this.#unexpected("a value");
    this.#at = end;
    return new JsonNumber(text);
  }
}

/** Largest config or index that is read: ten times anything seen, small enough to be held. */
export const MAX_CONFIG_BYTES: number = 1 << 20;

/** The file that messages name, the kinds of errors, and the longest text that is read. */
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
