import type { Edits, NormalizedString } from "./normalized-string.js";

export type UnicodeForm = "NFC" | "NFD" | "NFKC" | "NFKD";

/** A mark of the smallest combining class above 0, and one of the largest: every other mark changes places with one of them. */
const [LOWEST, HIGHEST] = ["\u0334", "\u0345"];

const combining = new Map<string, boolean>();
/** Whether a character has a combining class other than 0, and so changes places with others. Follows from what the runtime's normalization does. */
function isCombining(char: string): boolean {
  if (char < "\u0300") return false;
  let known = combining.get(char);
  if (known === undefined) {
    known = (HIGHEST + char).normalize("NFD") === char + HIGHEST || (char + LOWEST).normalize("NFD") === LOWEST + char || char === HIGHEST;
    combining.set(char, known);
  }
  return known;
}

/** Whether two combining characters, in this order, change places. */
const swap = (a: string, b: string): boolean => a !== b && (a + b).normalize("NFD") === b + a;

/** Characters of the decomposition of a text; a character's first replaces it, the others are put in. */
function decompose(text: string, form: "NFD" | "NFKD"): Edits {
  const chars: string[] = [];
  const changes: number[] = [];
  // Where the combining characters at the end begin.
  let marks = 0;
  for (const source of text) {
    let change = 0;
    for (const char of source.normalize(form)) {
      let at = chars.length;
      if (isCombining(char)) while (at > marks && swap(chars[at - 1]!, char)) at--;
      if (at === chars.length) {
        chars.push(char);
        changes.push(change);
      } else {
        chars.splice(at, 0, char);
        changes.splice(at, 0, change);
      }
      if (!isCombining(char)) marks = chars.length;
      change = 1;
    }
  }
  return { chars, changes };
}

/** The one character that two are composed to. */
function composed(a: string, b: string): string | undefined {
  if (a < "\u0080" && b < "\u0080") return undefined;
  const both = (a + b).normalize("NFC");
  return both.length === (both.codePointAt(0)! > 0xffff ? 2 : 1) ? both : undefined;
}

/** Joins what a decomposition has taken apart, as far as Unicode does. */
function compose({ chars, changes }: Edits): Edits {
  const out: Edits = { chars: [], changes: [] };
  // Where in `out` the last starter is, and whether a mark stands between it and what comes.
  let starter = -1;
  let last: string | undefined;
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i]!;
    const mark = isCombining(char);
    const blocked = last !== undefined && !(mark && swap(char, last));
    const joined = starter < 0 || blocked ? undefined : composed(out.chars[starter]!, char);
    if (joined !== undefined) {
      out.chars[starter] = joined;
      out.changes[starter] = out.changes[starter]! + changes[i]! - 1;
      continue;
    }
    out.chars.push(char);
    out.changes.push(changes[i]!);
    if (mark) last = char;
    else {
      starter = out.chars.length - 1;
      last = undefined;
    }
  }
  return out;
}

/** A Unicode normalization form. */
export function inForm(piece: NormalizedString, form: UnicodeForm): NormalizedString {
  if (piece.text.normalize(form) === piece.text) return piece;
  const edits = decompose(piece.text, form === "NFC" || form === "NFD" ? "NFD" : "NFKD");
  return piece.transform(form === "NFC" || form === "NFKC" ? compose(edits) : edits);
}
