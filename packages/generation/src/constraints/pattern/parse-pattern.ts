import { ANY, type CodePoints, complement, one, union } from "../code-points.js";
import { constraintError } from "../constraint-error.js";
import { MAX_CONSTRAINT_DEPTH, MAX_CONSTRAINT_PATTERN } from "../limits.js";

/** A regular expression as it was read. */
export type Pattern =
  | { readonly kind: "set"; readonly set: CodePoints }
  | { readonly kind: "sequence"; readonly parts: readonly Pattern[] }
  | { readonly kind: "choice"; readonly options: readonly Pattern[] }
  | { readonly kind: "repeat"; readonly body: Pattern; readonly min: number; readonly max: number };

/** One way in which a whole pattern can match, with whether `^` and `$` stand at its ends. */
export interface Alternative {
  readonly body: Pattern;
  readonly fromStart: boolean;
  readonly toEnd: boolean;
}

const DIGITS: CodePoints = [[48, 57]];
const WORDS: CodePoints = [
  [48, 57],
  [65, 90],
  [95, 95],
  [97, 122],
];
const SPACES: CodePoints = [
  [9, 13],
  [32, 32],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
const ESCAPED_SETS: { readonly [letter: string]: CodePoints } = {
  d: DIGITS,
  D: complement(DIGITS),
  w: WORDS,
  W: complement(WORDS),
  s: SPACES,
  S: complement(SPACES),
};
const NOT_NEWLINE = complement([
  [10, 10],
  [13, 13],
  [0x2028, 0x2029],
]);
const CONTROLS: { readonly [letter: string]: number } = { t: 9, n: 10, v: 11, f: 12, r: 13, "0": 0 };

const properties = new Map<string, CodePoints>();
/** The characters of a Unicode property, as the runtime knows it. */
function propertySet(escape: string): CodePoints {
  const known = properties.get(escape);
  if (known) return known;
  const matches = new RegExp(escape, "u");
  const set: [number, number][] = [];
  for (let code = 0; code <= 0x10ffff; code++) {
    if (!matches.test(String.fromCodePoint(code))) continue;
    const last = set.at(-1);
    if (last?.[1] === code - 1) last[1] = code;
    else set.push([code, code]);
  }
  properties.set(escape, set);
  return set;
}

/**
 * Reads a regular expression of ECMAScript with flag `u`, as JSON Schema has them. What is not regular (lookaround, back references), `\b` and anchors within the
 * pattern are refused.
 * @param where what messages call it
 * @throws ConfigError kinds `constraint-pattern`, `limit`
 */
export function parsePattern(source: string, where: string): readonly Alternative[] {
  if (source.length > MAX_CONSTRAINT_PATTERN) throw constraintError("limit", `${where}: a pattern longer than ${MAX_CONSTRAINT_PATTERN}`);
  try {
    new RegExp(source, "u");
  } catch (error) {
    throw constraintError("constraint-pattern", `${where}: ${(error as Error).message}`);
  }
  return new Parser(source, where).run();
}

/** Of patterns that RegExp has taken: syntax needs no second check. */
class Parser {
  readonly #source: string;
  readonly #where: string;
  #at = 0;
  #depth = 0;

  constructor(source: string, where: string) {
    this.#source = source;
    this.#where = where;
  }

  run(): readonly Alternative[] {
    const options: Alternative[] = [];
    do {
      const fromStart = this.#take("^");
      const body = this.#sequence();
      const toEnd = this.#take("$");
      options.push({ body, fromStart, toEnd });
    } while (this.#take("|"));
    if (this.#at < this.#source.length) this.#refuse("an anchor within the pattern");
    return options;
  }

  #refuse(what: string): never {
    throw constraintError(
      "constraint-pattern",
      `${this.#where}: ${what} is not supported (character ${this.#at} of ${JSON.stringify(this.#source)})`,
    );
  }

  #take(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #code(): number {
    const code = this.#source.codePointAt(this.#at)!;
    this.#at += code > 0xffff ? 2 : 1;
    return code;
  }

  #choice(): Pattern {
    if (++this.#depth > MAX_CONSTRAINT_DEPTH)
      throw constraintError("limit", `${this.#where}: groups nested more than ${MAX_CONSTRAINT_DEPTH} deep`);
    const options = [this.#sequence()];
    while (this.#take("|")) options.push(this.#sequence());
    this.#depth--;
    return { kind: "choice", options };
  }

  #sequence(): Pattern {
    const parts: Pattern[] = [];
    while (this.#at < this.#source.length && !"|)$".includes(this.#source[this.#at]!)) parts.push(this.#repeats(this.#atom()));
    return { kind: "sequence", parts };
  }

  #repeats(body: Pattern): Pattern {
    let [min, max] = [1, 1];
    const counted = /^\{(\d+)(,?)(\d*)\}/.exec(this.#source.slice(this.#at, this.#at + 50));
    if (counted) {
      this.#at += counted[0].length;
      min = Number(counted[1]);
      max = counted[2] === "" ? min : counted[3] === "" ? Infinity : Number(counted[3]);
    } else if (this.#take("*")) [min, max] = [0, Infinity];
    else if (this.#take("+")) [min, max] = [1, Infinity];
    else if (this.#take("?")) [min, max] = [0, 1];
    else return body;
    // Lazy or not is the same set of texts.
    this.#take("?");
    return { kind: "repeat", body, min, max };
  }

  #atom(): Pattern {
    if (this.#take("(")) {
      if (this.#take("?")) {
        if (/^(?:[=!]|<[=!])/.test(this.#source.slice(this.#at, this.#at + 2))) this.#refuse("looking around");
        if (!this.#take(":")) {
          if (!this.#take("<")) this.#refuse("a group with flags");
          this.#at = this.#source.indexOf(">", this.#at) + 1;
        }
      }
      const body = this.#choice();
      if (!this.#take(")")) this.#refuse("an anchor within a group");
      return body;
    }
    if (this.#take("^")) this.#refuse("an anchor within the pattern");
    if (this.#take(".")) return { kind: "set", set: NOT_NEWLINE };
    if (this.#take("[")) return { kind: "set", set: this.#class() };
    if (this.#take("\\")) return { kind: "set", set: asSet(this.#escape()) };
    return { kind: "set", set: one(this.#code()) };
  }

  /** After the backslash. */
  #escape(): CodePoints | number {
    const letter = this.#source[this.#at]!;
    if (/[1-9kbB]/.test(letter)) this.#refuse(`\\${letter}`);
    const property = /^[pP]\{[^}]*\}/.exec(this.#source.slice(this.#at, this.#at + 100));
    if (property) {
      this.#at += property[0].length;
      return propertySet(`\\${property[0]}`);
    }
    if (Object.hasOwn(ESCAPED_SETS, letter)) {
      this.#at++;
      return ESCAPED_SETS[letter]!;
    }
    const hex = /^(?:x([\da-fA-F]{2})|u\{([\da-fA-F]+)\}|u([dD][89abAB][\da-fA-F]{2})\\u([dD][c-fC-F][\da-fA-F]{2})|u([\da-fA-F]{4}))/.exec(
      this.#source.slice(this.#at, this.#at + 14),
    );
    if (hex) {
      this.#at += hex[0].length;
      if (hex[3]) return String.fromCharCode(parseInt(hex[3], 16), parseInt(hex[4]!, 16)).codePointAt(0)!;
      return parseInt(hex[1] ?? hex[2] ?? hex[5]!, 16);
    }
    const control = /^c([A-Za-z])/.exec(this.#source.slice(this.#at, this.#at + 2));
    if (control) {
      this.#at += 2;
      return control[1]!.charCodeAt(0) % 32;
    }
    this.#at++;
    return Object.hasOwn(CONTROLS, letter) ? CONTROLS[letter]! : letter.charCodeAt(0);
  }

  /** After the opening bracket. */
  #class(): CodePoints {
    const negated = this.#take("^");
    const sets: CodePoints[] = [];
    while (!this.#take("]")) {
      const from = this.#classItem();
      if (typeof from === "number" && this.#source[this.#at] === "-" && this.#source[this.#at + 1] !== "]") {
        this.#at++;
        sets.push([[from, this.#classItem() as number]]);
      } else sets.push(asSet(from));
    }
    return negated ? complement(union(...sets)) : union(...sets);
  }

  #classItem(): CodePoints | number {
    if (!this.#take("\\")) return this.#code();
    if (this.#take("b")) return 8;
    return this.#escape();
  }
}

const asSet = (item: CodePoints | number): CodePoints => (typeof item === "number" ? one(item) : item);

/** Any text. */
export const ANYTHING: Pattern = { kind: "repeat", body: { kind: "set", set: ANY }, min: 0, max: Infinity };
