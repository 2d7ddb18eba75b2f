import { MAX_PATTERN_DEPTH, MAX_PATTERN_LENGTH } from "../limits.js";
import { caselessSet, ESCAPED_SETS, intersection, negate, NOT_NEWLINE, POSIX_SETS, propertySet, rangeSet, union } from "./char-sets.js";
import type { CharSet, GroupKind, Pattern, Repeat } from "./syntax.js";

/** Why a pattern is not read. */
export class PatternError extends Error {}

const CONTROLS: { readonly [letter: string]: number } = { n: 10, r: 13, t: 9, f: 12, v: 11, a: 7, e: 27 };
const ASSERTIONS: { readonly [letter: string]: Extract<Pattern, { kind: "assertion" }>["at"] } = {
  A: "start",
  z: "end",
  Z: "lastLine",
  b: "word",
  B: "notWord",
};
/** Most characters of a range whose other cases are listed one by one. */
const MAX_CASELESS = 2000;

/**
 * Reads a regular expression of Oniguruma, by its Ruby syntax, as the files of the Python library have them.
 * Back references, conditions, calls of groups, `\G`, `\K`, `\R` and `\X` are not read: no tokenizer in use has them.
 * @throws PatternError
 */
export function parsePattern(source: string): Pattern {
  if (source.length > MAX_PATTERN_LENGTH) throw new PatternError(`longer than ${MAX_PATTERN_LENGTH}`);
  return new Parser(source).run();
}

class Parser {
  readonly #source: string;
  #at = 0;
  #depth = 0;
  #caseless = false;
  #dotAll = false;

  constructor(source: string) {
    this.#source = source;
  }

  run(): Pattern {
    const pattern = this.#choice();
    if (this.#at < this.#source.length) this.#fail("a parenthesis is closed that was not opened");
    return pattern;
  }

  #fail(why: string): never {
    throw new PatternError(`${why} (character ${this.#at})`);
  }

  #take(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  /** The next character as a number; fails at the end. */
  #code(): number {
    const code = this.#source.codePointAt(this.#at);
    if (code === undefined) this.#fail("the pattern ends too early");
    this.#at += code > 0xffff ? 2 : 1;
    return code;
  }

  #choice(): Pattern {
    if (++this.#depth > MAX_PATTERN_DEPTH) this.#fail(`groups are nested more than ${MAX_PATTERN_DEPTH} deep`);
    // `(?i)` within a group ends with it.
    const [caseless, dotAll] = [this.#caseless, this.#dotAll];
    const options = [this.#sequence()];
    while (this.#take("|")) options.push(this.#sequence());
    [this.#caseless, this.#dotAll] = [caseless, dotAll];
    this.#depth--;
    return options.length === 1 ? options[0]! : { kind: "choice", options };
  }

  #sequence(): Pattern {
    const parts: Pattern[] = [];
    while (this.#at < this.#source.length && this.#source[this.#at] !== "|" && this.#source[this.#at] !== ")") {
      const atom = this.#atom();
      if (atom) parts.push(this.#repeats(atom));
    }
    return parts.length === 1 ? parts[0]! : { kind: "sequence", parts };
  }

  #repeats(atom: Pattern): Pattern {
    let body = atom;
    for (;;) {
      const counted = /^\{(\d{0,5})(,?)(\d{0,5})\}/.exec(this.#source.slice(this.#at, this.#at + 16));
      let min: number;
      let max: number;
      let mode: Repeat = "greedy";
      if (counted && (counted[1] !== "" || counted[3] !== "")) {
        this.#at += counted[0].length;
        min = Number(counted[1]);
        max = counted[2] === "" ? min : counted[3] === "" ? Infinity : Number(counted[3]);
        if (max < min) this.#fail("a repeat whose least is above its most");
        if (this.#take("?")) mode = "lazy";
      } else {
        if (this.#take("*")) [min, max] = [0, Infinity];
        else if (this.#take("+")) [min, max] = [1, Infinity];
        else if (this.#take("?")) [min, max] = [0, 1];
        else return body;
        if (this.#take("?")) mode = "lazy";
        else if (this.#take("+")) mode = "possessive";
      }
      if (body.kind === "assertion") this.#fail("nothing to repeat");
      body = { kind: "repeat", body, min, max, mode };
    }
  }

  #literal(code: number): Pattern {
    return { kind: "set", set: this.#caseless ? caselessSet(code, code) : rangeSet(code, code) };
  }

  #atom(): Pattern | undefined {
    const code = this.#code();
    switch (String.fromCodePoint(code)) {
      case "(":
        return this.#group();
      case "[":
        return { kind: "set", set: this.#class() };
      case ".":
        return { kind: "set", set: this.#dotAll ? { js: "", re2: "", negated: true } : NOT_NEWLINE };
      case "^":
        return { kind: "assertion", at: "lineStart" };
      case "$":
        return { kind: "assertion", at: "lineEnd" };
      case "\\":
        return this.#escape();
      case "*":
      case "+":
      case "?":
        this.#at--;
        return this.#fail("nothing to repeat");
      default:
        return this.#literal(code);
    }
  }

  #group(): Pattern | undefined {
    if (!this.#take("?")) return this.#inside("?:");
    if (this.#take("#")) {
      while (!this.#take(")")) this.#code();
      return undefined;
    }
    for (const kind of ["?:", "?=", "?!", "?<=", "?<!", "?>"] as const) if (this.#take(kind.slice(1))) return this.#inside(kind);
    const named = /^<[A-Za-z_]\w*>/.exec(this.#source.slice(this.#at, this.#at + 64));
    if (named) {
      this.#at += named[0].length;
      return this.#inside("?:");
    }
    const flags = /^([im]*)(?:-([im]*))?([:)])/.exec(this.#source.slice(this.#at, this.#at + 16));
    if (!flags) this.#fail("a kind of group that is not read");
    this.#at += flags[0].length;
    const before = [this.#caseless, this.#dotAll] as const;
    for (const flag of flags[1]!) this.#set(flag, true);
    for (const flag of flags[2] ?? "") this.#set(flag, false);
    // Without a colon they hold to the end of the group, which is what Oniguruma means by `a(?i)b|c`, too.
    if (flags[3] === ")") return undefined;
    const group = this.#inside("?:");
    [this.#caseless, this.#dotAll] = before;
    return group;
  }

  #set(flag: string, on: boolean): void {
    if (flag === "i") this.#caseless = on;
    else this.#dotAll = on;
  }

  #inside(group: GroupKind): Pattern {
    const body = this.#choice();
    if (!this.#take(")")) this.#fail("a parenthesis is not closed");
    return { kind: "group", group, body };
  }

  #escape(): Pattern {
    const letter = this.#source[this.#at] ?? this.#fail("the pattern ends with a backslash");
    const at = Object.hasOwn(ASSERTIONS, letter) ? ASSERTIONS[letter] : undefined;
    if (at !== undefined) {
      this.#at++;
      return { kind: "assertion", at };
    }
    const set = this.#escapedSet();
    if (set) return { kind: "set", set };
    if (/[1-9GKRXkg]/.test(letter)) this.#fail(`\\${letter} is not read`);
    return this.#literal(this.#escapedCode());
  }

  /** The set that an escape stands for, after the backslash. */
  #escapedSet(): CharSet | undefined {
    const letter = this.#source[this.#at]!;
    const known = ESCAPED_SETS.get(letter.toLowerCase());
    if (known) {
      this.#at++;
      return letter === letter.toLowerCase() ? known : negate(known);
    }
    if (letter !== "p" && letter !== "P") return undefined;
    const property = /^[pP](?:\{(\^?)(\w+)\}|([A-Z]))/.exec(this.#source.slice(this.#at, this.#at + 64));
    if (!property) this.#fail("a property has no name");
    const posix = POSIX_SETS.get(property[2]?.toLowerCase() ?? "");
    const found = propertySet(property[2] ?? property[3]!) ?? posix;
    if (!found) this.#fail(`there is no property ${property[2]}`);
    this.#at += property[0].length;
    // Every cased letter has one of the other case.
    const cased = this.#caseless && /^L[ult]$/.test(property[2] ?? "") ? propertySet("Lu")! : undefined;
    const set = cased ? union([cased, propertySet("Ll")!, propertySet("Lt")!]) : found;
    return (letter === "P") !== (property[1] === "^") ? negate(set) : set;
  }

  /** The character that an escape stands for, after the backslash. */
  #escapedCode(): number {
    const code = this.#code();
    const letter = String.fromCodePoint(code);
    const hex = /^(?:x\{([\da-fA-F]{1,6})\}|x([\da-fA-F]{1,2})|u([\da-fA-F]{4}))/.exec(this.#source.slice(this.#at - 1, this.#at + 9));
    if (hex) {
      this.#at += hex[0].length - 1;
      const value = parseInt(hex[1] ?? hex[2] ?? hex[3]!, 16);
      if (value > 0x10ffff) this.#fail("no character of Unicode");
      return value;
    }
    if (letter === "0") return 0;
    if (Object.hasOwn(CONTROLS, letter)) return CONTROLS[letter]!;
    if (/[A-Za-z0-9]/.test(letter)) this.#fail(`\\${letter} is not read`);
    return code;
  }

  /** After the opening bracket. */
  #class(): CharSet {
    if (++this.#depth > MAX_PATTERN_DEPTH) this.#fail(`classes are nested more than ${MAX_PATTERN_DEPTH} deep`);
    const negated = this.#take("^");
    const all: CharSet[] = [];
    let sets: CharSet[] = [];
    // A bracket that closes is a character if it comes first.
    let first = true;
    for (; first || !this.#take("]"); first = false) {
      if (this.#take("&&")) {
        all.push(union(sets));
        sets = [];
      } else sets.push(this.#classItem());
    }
    all.push(union(sets));
    this.#depth--;
    const set = intersection(all);
    return negated ? negate(set) : set;
  }

  #classItem(): CharSet {
    const posix = /^\[:(\^?)(\w+):\]/.exec(this.#source.slice(this.#at, this.#at + 20));
    if (posix) {
      const set = POSIX_SETS.get(posix[2]!);
      if (!set) this.#fail(`there is no class ${posix[0]}`);
      this.#at += posix[0].length;
      return posix[1] ? negate(set) : set;
    }
    if (this.#take("[")) return this.#class();
    const from = this.#classCode();
    if (typeof from !== "number") return from;
    const range = this.#source[this.#at] === "-" && this.#source[this.#at + 1] !== "]" && this.#source[this.#at + 1] !== undefined;
    if (!range) return this.#range(from, from);
    this.#at++;
    const to = this.#classCode();
    // As `a-\d`: three things.
    if (typeof to !== "number") return union([this.#range(from, from), rangeSet(45, 45), to]);
    if (to < from) this.#fail("a range whose end is before its begin");
    return this.#range(from, to);
  }

  #range(from: number, to: number): CharSet {
    if (!this.#caseless) return rangeSet(from, to);
    if (to - from > MAX_CASELESS) this.#fail(`a range of more than ${MAX_CASELESS} characters in either case`);
    return caselessSet(from, to);
  }

  #classCode(): number | CharSet {
    if (!this.#take("\\")) return this.#code();
    if (this.#at >= this.#source.length) this.#fail("the pattern ends with a backslash");
    if (this.#take("b")) return 8;
    return this.#escapedSet() ?? this.#escapedCode();
  }
}
