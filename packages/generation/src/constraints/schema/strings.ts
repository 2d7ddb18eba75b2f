import { type CodePoints, intersection, one, oneOf, without } from "../code-points.js";
import { byteRange, choice, literal, type Part, repeat, sequence } from "../grammar.js";

const CONTROLS: CodePoints = [[0, 0x1f]];
/** Characters that JSON writes as they are. */
const PLAIN: CodePoints = without([[0x20, 0x10ffff]], [...one(0x22), ...one(0x5c)]);
/** The letters that stand for characters behind a backslash. */
const SHORT = new Map([
  [8, "b"],
  [9, "t"],
  [10, "n"],
  [12, "f"],
  [13, "r"],
  [0x22, '"'],
  [0x5c, "\\"],
]);

const set = (characters: string): Part => oneOf([...characters].flatMap((c) => one(c.codePointAt(0)!)).toSorted((a, b) => a[0] - b[0]));
const HEX = set("0123456789ABCDEFabcdef");
const hex = (count: number): Part => repeat(HEX, count, count);
/** `\u` escapes: of a surrogate only as the first half of a pair, so that every string is well-formed. */
const UNICODE = choice(
  sequence(set("0123456789ABCEFabcef"), hex(3)),
  sequence(
    set("Dd"),
    choice(sequence(set("01234567"), hex(2)), sequence(set("89ABab"), hex(2), literal("\\u"), set("Dd"), set("CDEFcdef"), hex(2))),
  ),
);
/** One character of a string, in any of the ways in which JSON may write it. */
const CHARACTER: Part = choice(oneOf(PLAIN), sequence(literal("\\"), choice(set('"\\/bfnrt'), sequence(literal("u"), UNICODE))));
const QUOTE = byteRange(0x22, 0x22);

/** A string of so many characters (code points). */
export const stringPart = (min: number = 0, max: number = Infinity): Part => sequence(QUOTE, repeat(CHARACTER, min, max), QUOTE);

/** One character of a set within a string; escaped only where it has to be, as `JSON.stringify` does. */
export function characterInString(characters: CodePoints): Part {
  const escaped = intersection(characters, [...CONTROLS, ...one(0x22), ...one(0x5c)]).flatMap(([from, to]) =>
    Array.from({ length: to + 1 - from }, (_, i) => from + i),
  );
  const letters = escaped.flatMap((code) => SHORT.get(code) ?? []).join("");
  const numbers = escaped.filter((code) => !SHORT.has(code)).map((code) => code.toString(16).padStart(2, "0"));
  const behind = ["0", "1"].flatMap((first) => {
    const last = numbers.filter((number) => number[0] === first).map((number) => number[1]!);
    return last.length === 0 ? [] : [sequence(literal(first), set(last.join("")))];
  });
  return choice(
    oneOf(intersection(characters, PLAIN)),
    ...(letters === "" ? [] : [sequence(literal("\\"), set(letters))]),
    ...(behind.length === 0 ? [] : [sequence(literal("\\u00"), choice(...behind))]),
  );
}

/** A string whose characters are a part. */
export const quoted = (content: Part): Part => sequence(QUOTE, content, QUOTE);

/** A string, written without escapes, that is none of these. */
export function otherString(names: readonly string[]): Part {
  /** Behind a beginning that these names have in common. */
  const rest = (tails: readonly string[]): Part => {
    const first = new Map<number, string[]>();
    for (const tail of tails) {
      const code = tail.codePointAt(0);
      if (code !== undefined) first.set(code, [...(first.get(code) ?? []), tail.slice(String.fromCodePoint(code).length)]);
    }
    const taken = [...first.keys()].toSorted((a, b) => a - b).map((code): [number, number] => [code, code]);
    const options = [sequence(oneOf(without(PLAIN, taken)), repeat(oneOf(PLAIN), 0, Infinity), QUOTE)];
    for (const [code, tailsBehind] of first) options.push(sequence(oneOf(intersection(one(code), PLAIN)), rest(tailsBehind)));
    if (!tails.includes("")) options.push(QUOTE);
    return choice(...options);
  };
  return sequence(QUOTE, rest(names));
}
