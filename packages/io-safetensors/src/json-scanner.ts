import { FormatError } from "@weft/tensor-core";

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
export function parseUnsigned(text: string): number | bigint | undefined {
  if (!/^\d+$/.test(text)) return undefined;
  if (text.length < 16) return Number(text);
  const big = BigInt(text);
  if (big >= U64_END) return undefined;
  return big <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(big) : big;
}

export type JsonValue = null | boolean | string | JsonNumber | JsonValue[] | Map<string, JsonValue>;

const SPACE = " \t\r\n";
const ESCAPES: Readonly<Record<string, string>> = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
/** Ends a run of ordinary characters in a string. */
// eslint-disable-next-line no-control-regex
const SPECIAL = /["\\\u0000-\u001f]/g;

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

  constructor(bytes: Uint8Array, kinds: JsonKinds, file?: string) {
    this.kinds = kinds;
    this.file = file;
    try {
      this.text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch (cause) {
      throw this.error("the text is not valid UTF-8", kinds.utf8, cause);
    }
  }

  /** Skips white space and takes `c` if it is next. */
  take(c: string): boolean {
    this.skipSpace();
    if (this.text[this.at] !== c) return false;
    this.at++;
    return true;
  }

  /** The next character that is not white space; empty at the end. */
  peek(): string {
    this.skipSpace();
    return this.text[this.at] ?? "";
  }

  expect(c: string): void {
    if (!this.take(c)) throw this.unexpected(`"${c}"`);
  }

  /** Nothing but white space may follow. */
  end(): void {
    if (this.peek() !== "") throw this.unexpected("the end");
  }

  /** Members of an object, whose brace is next; calls `member` at each value. @throws FormatError kind `duplicate-key` */
  object(member: (key: string) => void): void {
    const keys = new Set<string>();
    this.expect("{");
    if (this.take("}")) return;
    do {
      if (this.peek() !== '"') throw this.unexpected("a key");
      const key = this.string();
      if (keys.has(key)) throw this.error(`key ${JSON.stringify(key)} occurs twice`, "duplicate-key");
      keys.add(key);
      this.expect(":");
      member(key);
    } while (this.take(","));
    this.expect("}");
  }

  /** Elements of an array, whose bracket is next; calls `element` at each. */
  array(element: () => void): void {
    this.expect("[");
    if (this.take("]")) return;
    do element();
    while (this.take(","));
    this.expect("]");
  }

  string(): string {
    this.expect('"');
    let result = "";
    for (;;) {
      SPECIAL.lastIndex = this.at;
      const stop = SPECIAL.exec(this.text);
      if (!stop) throw this.unexpected("the end of a string", this.text.length);
      result += this.text.slice(this.at, stop.index);
      this.at = stop.index + 1;
      if (stop[0] === '"') break;
      if (stop[0] !== "\\") throw this.error("a control character stands in a string", this.kinds.json);
      result += this.escape();
    }
    return result;
  }

  number(): JsonNumber {
    this.skipSpace();
    NUMBER.lastIndex = this.at;
    const match = NUMBER.exec(this.text);
    if (!match) throw this.unexpected("a number");
    this.at += match[0].length;
    return new JsonNumber(match[0]);
  }

  /** Any value. */
  value(depth = 1): JsonValue {
    if (depth > MAX_JSON_DEPTH) throw this.error(`values are nested more than ${MAX_JSON_DEPTH} deep`, this.kinds.json);
    const c = this.peek();
    if (c === "{") {
      const map = new Map<string, JsonValue>();
      this.object((key) => map.set(key, this.value(depth + 1)));
      return map;
    }
    if (c === "[") {
      const list: JsonValue[] = [];
      this.array(() => list.push(this.value(depth + 1)));
      return list;
    }
    if (c === '"') return this.string();
    for (const [word, value] of [["true", true], ["false", false], ["null", null]] as const) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    }
    return this.number();
  }

  error(message: string, kind: string, cause?: unknown): FormatError {
    const file = this.file === undefined ? {} : { file: this.file };
    return new FormatError(`${this.file ?? "JSON"}: ${message} (character ${this.at})`, { kind, byte: this.at, cause, ...file });
  }

  private unexpected(expected: string, at = this.at): FormatError {
    const got = this.text[at];
    return this.error(`expected ${expected}, got ${got === undefined ? "the end" : JSON.stringify(got)}`, this.kinds.json);
  }

  private skipSpace(): void {
    while (this.at < this.text.length && SPACE.includes(this.text[this.at]!)) this.at++;
  }

  private escape(): string {
    const c = this.text[this.at++] ?? "";
    if (c !== "u") {
      const plain = Object.hasOwn(ESCAPES, c) ? ESCAPES[c] : undefined;
      if (plain === undefined) throw this.unexpected("an escape", this.at - 1);
      return plain;
    }
    const unit = this.hex();
    if (unit < 0xd800 || unit > 0xdfff) return String.fromCharCode(unit);
    const paired = unit < 0xdc00 && this.text.startsWith("\\u", this.at);
    if (paired) this.at += 2;
    const low = paired ? this.hex() : 0;
    if (low < 0xdc00 || low > 0xdfff) throw this.error("a surrogate stands alone", this.kinds.json);
    return String.fromCharCode(unit, low);
  }

  private hex(): number {
    const digits = this.text.slice(this.at, this.at + 4);
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.unexpected("four hexadecimal digits");
    this.at += 4;
    return Number.parseInt(digits, 16);
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
  if (bytes.byteLength > maxBytes) throw new FormatError(`${file ?? "JSON"}: ${bytes.byteLength} bytes, at most ${maxBytes} are read`, { kind: "limit", ...(file === undefined ? {} : { file }) });
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
