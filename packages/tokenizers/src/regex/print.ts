import { ESCAPED_SETS, jsSet, re2Set } from "./char-sets.js";
import type { Pattern } from "./syntax.js";

const WORD = jsSet(ESCAPED_SETS.get("w")!);
const EDGE = `(?<=${WORD})(?!${WORD})|(?<!${WORD})(?=${WORD})`;
const JS_ASSERTIONS = {
  lineStart: "(?<![^\\n])",
  lineEnd: "(?![^\\n])",
  start: "(?<![^])",
  end: "(?![^])",
  lastLine: "(?=\\n?(?![^]))",
  word: `(?:${EDGE})`,
  notWord: `(?!${EDGE})`,
} as const;

const count = (min: number, max: number): string => {
  if (max === 1 && min === 0) return "?";
  if (max === Infinity && min < 2) return min === 0 ? "*" : "+";
  return min === max ? `{${min}}` : `{${min},${max === Infinity ? "" : max}}`;
};

/** A pattern for a RegExp with flag `v`. What is atomic looks ahead for itself, and takes what it found. */
export function printJs(pattern: Pattern): string {
  let atomics = 0;
  const atomic = (body: string): string => {
    const name = `atomic${atomics++}`;
    return `(?:(?=(?<${name}>${body}))\\k<${name}>)`;
  };
  const print = (one: Pattern): string => {
    switch (one.kind) {
      case "set":
        return jsSet(one.set);
      case "assertion":
        return JS_ASSERTIONS[one.at];
      case "sequence":
        return one.parts.map(print).join("");
      case "choice":
        return `(?:${one.options.map(print).join("|")})`;
      case "group":
        return one.group === "?>" ? atomic(print(one.body)) : `(${one.group}${print(one.body)})`;
      case "repeat": {
        const inner = print(one.body);
        const body = `${one.body.kind === "set" || one.body.kind === "group" ? inner : `(?:${inner})`}${count(one.min, one.max)}`;
        if (one.mode === "possessive") return atomic(body);
        return one.mode === "lazy" ? `${body}?` : body;
      }
    }
  };
  return print(pattern);
}

/** Most of a counted repeat that RE2 takes. */
const MAX_RE2_REPEAT = 1000;

/** A pattern for RE2, undefined if it needs what RE2 does not have. */
export function printRe2(pattern: Pattern): string | undefined {
  const all = (parts: readonly Pattern[], between: string): string | undefined => {
    const printed = parts.map(printRe2);
    return printed.includes(undefined) ? undefined : printed.join(between);
  };
  switch (pattern.kind) {
    case "set":
      return pattern.set.js === "" ? "(?s:.)" : re2Set(pattern.set);
    case "assertion":
      return { lineStart: "(?m:^)", lineEnd: "(?m:$)", start: "\\A", end: "\\z", lastLine: undefined, word: undefined, notWord: undefined }[
        pattern.at
      ];
    case "sequence":
      return all(pattern.parts, "");
    case "choice": {
      const options = all(pattern.options, "|");
      return options === undefined ? undefined : `(?:${options})`;
    }
    case "group": {
      const body = printRe2(pattern.body);
      return body === undefined || pattern.group !== "?:" ? undefined : `(?:${body})`;
    }
    case "repeat": {
      const body = printRe2(pattern.body);
      const most = pattern.max === Infinity ? pattern.min : pattern.max;
      if (body === undefined || pattern.mode === "possessive" || most > MAX_RE2_REPEAT) return undefined;
      return `(?:${body})${count(pattern.min, pattern.max)}${pattern.mode === "lazy" ? "?" : ""}`;
    }
  }
}
