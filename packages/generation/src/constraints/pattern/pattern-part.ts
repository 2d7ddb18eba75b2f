import type { CodePoints } from "../code-points.js";
import { choice, type Part, repeat, sequence } from "../grammar.js";
import { type Alternative, ANYTHING, type Pattern } from "./parse-pattern.js";

/** A pattern as a part of a grammar. @param character how one character of a set is written */
export function patternPart(pattern: Pattern, character: (set: CodePoints) => Part): Part {
  const part = (inner: Pattern): Part => patternPart(inner, character);
  switch (pattern.kind) {
    case "set":
      return character(pattern.set);
    case "sequence":
      return sequence(...pattern.parts.map(part));
    case "choice":
      return choice(...pattern.options.map(part));
    case "repeat":
      return repeat(part(pattern.body), pattern.min, pattern.max);
  }
}

/** The texts that a pattern matches somewhere in, as `RegExp.test` does. */
export const searchPart = (alternatives: readonly Alternative[], character: (set: CodePoints) => Part): Part =>
  choice(
    ...alternatives.map(({ body, fromStart, toEnd }) =>
      patternPart({ kind: "sequence", parts: [...(fromStart ? [] : [ANYTHING]), body, ...(toEnd ? [] : [ANYTHING])] }, character),
    ),
  );
