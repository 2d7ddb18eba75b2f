import { expect, test } from "vitest";
import { diffWords } from "./diff-words.js";

const marked = (before: string, after: string): string =>
  diffWords(before, after)
    .map(({ text, changed }) => (changed ? `[${text}]` : text))
    .join("");

test.each([
  ["the same", "the same", "the same"],
  ["a b c", "a x c", "a [x] c"],
  ["a b c", "a b c d e", "a b c[ d e]"],
  ["a b c", "c", "c"],
  ["", "all new", "[all new]"],
  ["to be or not", "not to be", "[not ]to be"],
])("%j, now %j", (before, after, expected) => {
  expect(marked(before, after)).toBe(expected);
  expect(
    diffWords(before, after)
      .map(({ text }) => text)
      .join(""),
  ).toBe(after);
});
