import type { NormalizedString } from "./normalized-string.js";

/** What becomes of the matches that split a text. @see tokenizers SplitDelimiterBehavior */
export const BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"] as const;
export type SplitBehavior = (typeof BEHAVIORS)[number];

/** Finds matches in a text: begins and ends, in turn. */
export type Finder = (text: string) => number[];

/** Matches of a global RegExp; after an empty one the search goes on a character later. */
export const findAll =
  (pattern: RegExp): Finder =>
  (text) => {
    const found: number[] = [];
    let end = -1;
    pattern.lastIndex = 0;
    for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
      const from = match.index;
      const to = from + match[0].length;
      // Not an empty match where the last one ended.
      if (to > from || to !== end) found.push(from, (end = to));
      else pattern.lastIndex = to + (text.codePointAt(to)! > 0xffff ? 2 : 1);
    }
    return found;
  };

/** All places where a text that is not empty occurs, one after the other. */
export const findText =
  (wanted: string): Finder =>
  (text) => {
    const found: number[] = [];
    for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length)) found.push(at, at + wanted.length);
    return found;
  };

/** Pieces of a text by the matches in it. @param invert takes what is between matches for the matches */
export function splitBy(piece: NormalizedString, find: Finder, behavior: SplitBehavior, invert = false): NormalizedString[] {
  const length = piece.text.length;
  const matches = find(piece.text);
  if (matches.length === 0 && !invert) return [piece];
  // Ends of spans that cover the text, in turn, and whether each is a match.
  const ends: number[] = [];
  const isMatch: boolean[] = [];
  let at = 0;
  for (let i = 0; i < matches.length; i += 2) {
    if (at !== matches[i]) {
      ends.push(matches[i]!);
      isMatch.push(invert);
    }
    ends.push((at = matches[i + 1]!));
    isMatch.push(!invert);
  }
  if (at !== length) {
    ends.push(length);
    isMatch.push(invert);
  }
  const pieces: NormalizedString[] = [];
  let from = 0;
  for (let i = 0; i < ends.length; i++) {
    if (!joinsNext(behavior, isMatch, i)) {
      if (ends[i]! > from && !(behavior === "Removed" && isMatch[i])) pieces.push(piece.slice(from, ends[i]!));
      from = ends[i]!;
    }
  }
  return pieces;
}

/** Whether a span and the one after it stay together. */
function joinsNext(behavior: SplitBehavior, isMatch: readonly boolean[], i: number): boolean {
  if (i + 1 >= isMatch.length) return false;
  const [here, next] = [isMatch[i]!, isMatch[i + 1]!];
  switch (behavior) {
    case "Contiguous":
      return here === next;
    case "MergedWithPrevious":
      return next && !here;
    case "MergedWithNext":
      return here && !next;
    default:
      return false;
  }
}
