import { ConfigError } from "@weft/tensor-core";

/** Into what a Python pattern is translated: RE2 (linear time) or a JavaScript RegExp without flags `u` and `v`. */
export type RegexDialect = "re2" | "js";

/** Deeper nesting is refused: RE2 stops at 1000, and both its parser and ours recurse. */
const MAX_REGEX_NESTING = 200;
/** RE2 expands counted repeats into states and takes no larger count. */
const MAX_REGEX_REPEAT = 1000;

/**
 * Checks a pattern by the grammar of Python's `re` (3.11) and writes it for another engine.
 * Classes such as \w and \d stay ASCII, as module names are.
 *
 * @param field name of the config field, for messages
 * @throws ConfigError kind `config-regex` where Python would not compile it either, `unsafe-regex` where the dialect cannot express it
 */
export function translatePythonRegex(pattern: string, dialect: RegexDialect, field: string): string {
  return new Translator(pattern, dialect, field).run();
}

const QUANTIFIER = /[*+?]|\{(\d*)(,?)(\d*)\}/y;

type Previous = "nothing" | "atom" | "repeat";

class Translator {
  private at = 0;
  private groups = 0;
  private readonly names = new Set<string>();
  private unsupported: string | undefined;

  constructor(
    private readonly text: string,
    private readonly dialect: RegexDialect,
    private readonly field: string,
  ) {}

  run(): string {
    const result = this.alternatives(0);
    if (this.at < this.text.length) this.invalid("unbalanced parenthesis");
    if (this.unsupported) this.refuse(this.unsupported);
    return result;
  }

  private alternatives(depth: number): string {
    if (depth > MAX_REGEX_NESTING) this.refuse(`more than ${MAX_REGEX_NESTING} nested groups`);
    let out = "";
    let previous: Previous = "nothing";
    while (this.at < this.text.length && this.text[this.at] !== ")") {
      const ch = this.text[this.at]!;
      const repeat = this.repeat(previous);
      if (repeat !== undefined) {
        out += repeat;
        previous = "repeat";
        continue;
      }
      this.at++;
      const before: Previous = previous;
      previous = "atom";
      if (ch === "|" || ch === "^" || ch === "$") {
        out += ch;
        previous = "nothing";
      } else if (ch === "(") {
        const group = this.group(depth);
        out += group;
        if (group === "") previous = before; // a comment, or flags without effect
        else if (/^\(\?[a-z]+\)$/.test(group)) previous = "nothing";
      } else if (ch === "[") {
        out += this.set();
      } else if (ch === "\\") {
        const escaped = this.escape();
        out += escaped;
        if (/^(\\[AbBz]|\^|\$)$/.test(escaped)) previous = "nothing";
      } else {
        out += /[{}\]]/.test(ch) ? `\\${ch}` : ch;
      }
    }
    return out;
  }

  /** A quantifier at the current place, or undefined (also for a `{` that Python takes literally). */
  private repeat(previous: Previous): string | undefined {
    QUANTIFIER.lastIndex = this.at;
    const match = QUANTIFIER.exec(this.text);
    if (!match || match[0] === "{}") return undefined;
    const [whole, low = "", comma = "", high = ""] = match;
    if (previous === "nothing") this.invalid("nothing to repeat");
    if (previous === "repeat") this.invalid("multiple repeat");
    this.at += whole.length;
    let out = whole;
    if (whole.startsWith("{")) {
      const min = Number(low);
      const max = high ? Number(high) : comma ? Infinity : min;
      if (min > max) this.invalid("min repeat greater than max repeat");
      if (min > MAX_REGEX_REPEAT || (max !== Infinity && max > MAX_REGEX_REPEAT)) this.lacks(`a repeat over ${MAX_REGEX_REPEAT}`);
      out = `{${min}${comma}${high}}`;
    }
    const next = this.text[this.at];
    if (next === "+") this.lacks("a possessive repeat");
    if (next === "?" || next === "+") this.at++;
    return next === "?" ? `${out}?` : out;
  }

  /** A group after its opening parenthesis. */
  private group(depth: number): string {
    if (!this.take("?")) return this.closed(this.groupOpened("("), depth);
    if (this.take(":")) return this.closed("(?:", depth);
    if (this.take("P<")) {
      const name = this.name(">");
      this.names.add(name);
      return this.closed(this.groupOpened(this.dialect === "re2" ? `(?P<${name}>` : `(?<${name}>`), depth);
    }
    if (this.take("P=")) {
      const name = this.name(")");
      if (!this.names.has(name)) this.invalid(`unknown group name ${name}`);
      if (this.dialect === "re2") this.lacks("a backreference");
      return `\\k<${name}>`;
    }
    for (const look of ["<=", "<!", "=", "!"]) {
      if (!this.take(look)) continue;
      if (this.dialect === "re2") this.lacks(look.startsWith("<") ? "a lookbehind" : "a lookahead");
      return this.closed(`(?${look}`, depth);
    }
    if (this.take("#")) {
      const end = this.text.indexOf(")", this.at);
      if (end < 0) this.invalid("missing ), unterminated comment");
      this.at = end + 1;
      return "";
    }
    if (this.take(">")) return (this.lacks("an atomic group"), this.closed("(?:", depth));
    if (this.take("(")) {
      this.name(")", true);
      return (this.lacks("a conditional group"), this.closed("(?:", depth));
    }
    return this.flags(depth);
  }

  private flags(depth: number): string {
    const start = this.at - 2;
    const match = /^([aiLmsux]*)(?:-([imsx]+))?([:)])/.exec(this.text.slice(this.at, this.at + 24));
    if (!match || (match[1] === "" && match[2] === undefined)) this.invalid("unknown extension");
    const [whole, on = "", off = "", end = ""] = match!;
    this.at += whole.length;
    if (on.includes("L")) this.invalid("bad inline flags: cannot use 'L' flag with a str pattern");
    if (end === ")" && (start > 0 || off)) this.invalid("global flags not at the start of the expression");
    if (on.includes("x")) this.lacks("verbose mode");
    const kept = on.replace(/[aLux]/g, "") + (off.replace("x", "") && `-${off.replace("x", "")}`);
    if (kept && this.dialect === "js") this.lacks("inline flags");
    return end === ")" ? kept && `(?${kept})` : this.closed(`(?${kept}:`, depth);
  }

  private set(): string {
    const opening = this.at - 1;
    let out = this.take("^") ? "[^" : "[";
    for (let first = true; ; first = false) {
      if (this.at >= this.text.length) this.invalid(`unterminated character set at position ${opening}`);
      if (!first && this.take("]")) return `${out}]`;
      const low = this.setItem();
      if (this.text[this.at] === "-" && this.text[this.at + 1] !== "]" && this.at + 1 < this.text.length) {
        this.at++;
        const high = this.setItem();
        if (typeof low === "string" || typeof high === "string" || low > high) this.invalid("bad character range");
        out += `${inSet(low as number)}-${inSet(high as number)}`;
      } else {
        out += typeof low === "string" ? low : inSet(low);
      }
    }
  }

  /** One member of a set: a code point, or a class such as \d. */
  private setItem(): number | string {
    if (!this.take("\\")) return this.codePoint();
    const escaped = this.text[this.at] ?? this.invalid("bad escape (end of pattern)");
    if (/[dDwWsS]/.test(escaped)) {
      this.at++;
      return `\\${escaped}`;
    }
    if (this.take("b")) return 8;
    return this.escapedCodePoint() ?? this.invalid(`bad escape \\${escaped}`);
  }

  /** An escape after its backslash, outside of a set. */
  private escape(): string {
    const ch = this.text[this.at] ?? this.invalid("bad escape (end of pattern)");
    if (/[dDwWsSbB]/.test(ch)) {
      this.at++;
      return `\\${ch}`;
    }
    if (this.take("A")) return this.dialect === "re2" ? "\\A" : "^";
    if (this.take("Z")) return this.dialect === "re2" ? "\\z" : "$";
    const reference = /^[1-9]\d?/.exec(this.text.slice(this.at, this.at + 2))?.[0];
    if (reference && !/^[0-3][0-7][0-7]/.test(this.text.slice(this.at, this.at + 3))) {
      if (Number(reference) > this.groups) this.invalid(`invalid group reference ${reference}`);
      if (this.dialect === "re2") this.lacks("a backreference");
      this.at += reference.length;
      return `(?:\\${reference})`;
    }
    const code = this.escapedCodePoint() ?? this.invalid(`bad escape \\${ch}`);
    return literal(code);
  }

  private escapedCodePoint(): number | undefined {
    const rest = this.text.slice(this.at, this.at + 9);
    const hex = /^(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U(00[01][0-9a-fA-F]{5}))/.exec(rest);
    const octal = /^(?:0[0-7]{0,2}|[1-3][0-7]{2})/.exec(rest);
    if (hex) {
      this.at += hex[0].length;
      return Number.parseInt(hex[1] ?? hex[2] ?? hex[3]!, 16);
    }
    if (octal) {
      this.at += octal[0].length;
      return Number.parseInt(octal[0], 8);
    }
    const control =
      "abfnrtv".indexOf(rest[0]!) >= 0 ? ({ a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 } as Record<string, number>)[rest[0]!] : undefined;
    if (control !== undefined) {
      this.at++;
      return control;
    }
    return /[A-Za-z0-9]/.test(rest[0]!) ? undefined : this.codePoint();
  }

  private codePoint(): number {
    const code = this.text.codePointAt(this.at)!;
    this.at += code > 0xffff ? 2 : 1;
    return code;
  }

  private closed(opening: string, depth: number): string {
    const inner = this.alternatives(depth + 1);
    if (!this.take(")")) this.invalid("missing ), unterminated subpattern");
    return `${opening}${inner})`;
  }

  private groupOpened(opening: string): string {
    this.groups++;
    return opening;
  }

  private name(end: string, orNumber = false): string {
    const stop = this.text.indexOf(end, this.at);
    const name = stop < 0 ? "" : this.text.slice(this.at, stop);
    if (!/^[A-Za-z_]\w*$/.test(name) && !(orNumber && /^\d+$/.test(name))) this.invalid("bad or missing group name");
    this.at = stop + end.length;
    return name;
  }

  private take(token: string): boolean {
    if (!this.text.startsWith(token, this.at)) return false;
    this.at += token.length;
    return true;
  }

  /** Notes what the dialect lacks; thrown at the end, so that a pattern that is invalid anyway is reported as such. */
  private lacks(what: string): string {
    this.unsupported ??= what;
    return "";
  }

  private refuse(what: string): never {
    throw new ConfigError(`${this.field}: ${this.quoted()} uses ${what}, which the safe regex engine does not have`, {
      kind: "unsafe-regex",
      hint: "list the module names instead, or rewrite the pattern without it",
    });
  }

  private invalid(reason: string): never {
    throw new ConfigError(`${this.field}: ${this.quoted()} is not a valid regular expression: ${reason} (position ${this.at})`, {
      kind: "config-regex",
      hint: "patterns follow Python's re module",
    });
  }

  private quoted(): string {
    return JSON.stringify(this.text.length > 80 ? `${this.text.slice(0, 77)}...` : this.text);
  }
}

const literal = (code: number): string => {
  const ch = String.fromCodePoint(code);
  if (/[A-Za-z0-9_]/.test(ch) || code > 0x7f) return ch;
  return code < 0x20 || code === 0x7f ? `\\x${code.toString(16).padStart(2, "0")}` : `\\${ch}`;
};

const inSet = (code: number): string => (code === 0x5f || code === 0x2e ? String.fromCodePoint(code) : literal(code));
