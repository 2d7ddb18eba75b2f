import type { CharSet } from "./syntax.js";

const set = (js: string, re2: string | undefined = js, negated = false): CharSet => ({ js, re2, negated });
const hex = (code: number): string => code.toString(16);
const jsChar = (code: number): string => `\\u{${hex(code)}}`;
const re2Char = (code: number): string => `\\x{${hex(code)}}`;

/** The characters from one to another. */
export const rangeSet = (from: number, to: number): CharSet =>
  from === to ? set(jsChar(from), re2Char(from)) : set(`${jsChar(from)}-${jsChar(to)}`, `${re2Char(from)}-${re2Char(to)}`);

const WORD = "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}";
/** Circled letters are alphabetic to Unicode, and no letters; fractions and raised digits of Latin-1 are word characters to Oniguruma. */
const WORD_TOO: readonly (readonly [number, number])[] = [
  [0x24b6, 0x24e9],
  [0x1f130, 0x1f149],
  [0x1f150, 0x1f169],
  [0x1f170, 0x1f189],
  [0xb2, 0xb3],
  [0xb9, 0xb9],
  [0xbc, 0xbe],
];
const SPACES: readonly (readonly [number, number])[] = [
  [9, 13],
  [32, 32],
  [0x85, 0x85],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
];
const re2Ranges = (ranges: readonly (readonly [number, number])[]): string =>
  ranges.map(([from, to]) => `${re2Char(from)}-${re2Char(to)}`).join("");
const jsRanges = (ranges: readonly (readonly [number, number])[]): string =>
  ranges.map(([from, to]) => `${jsChar(from)}-${jsChar(to)}`).join("");

/** What `\s`, `\w`, `\d` and `\h` mean to Oniguruma with UTF-8. */
export const ESCAPED_SETS: ReadonlyMap<string, CharSet> = new Map([
  ["s", set("\\p{White_Space}", re2Ranges(SPACES))],
  ["w", set(`${WORD}${jsRanges(WORD_TOO)}`, `${WORD}${re2Ranges(WORD_TOO)}`)],
  ["d", set("\\p{Nd}")],
  ["h", set("0-9a-fA-F")],
]);
/** `.`: anything but the end of a line. */
export const NOT_NEWLINE: CharSet = set("\\n", "\\n", true);

/** Names in double brackets, as `[[:alpha:]]`. */
export const POSIX_SETS: ReadonlyMap<string, CharSet> = new Map([
  ["alpha", set("\\p{Alphabetic}", undefined)],
  ["digit", set("\\p{Nd}")],
  ["alnum", set("\\p{Alphabetic}\\p{Nd}", undefined)],
  ["upper", set("\\p{Uppercase}", undefined)],
  ["lower", set("\\p{Lowercase}", undefined)],
  ["space", ESCAPED_SETS.get("s")!],
  ["word", ESCAPED_SETS.get("w")!],
  ["cntrl", set("\\p{Cc}")],
  ["xdigit", set("0-9a-fA-F")],
  ["punct", set("\\p{P}$+<=>\\^`\\|~", undefined)],
]);

const CATEGORIES = /^(?:L[ultmo]?|M[nce]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?|C[cf]?|Co)$/;

/** The set of a Unicode property: a general category, a script, or a property of its own. @returns undefined if there is none of that name */
export function propertySet(name: string): CharSet | undefined {
  if (CATEGORIES.test(name)) return set(`\\p{${name}}`, name === "C" ? undefined : `\\p{${name}}`);
  if (!/^[A-Za-z_]{1,40}$/.test(name)) return undefined;
  for (const [js, re2] of [
    [`\\p{Script=${name}}`, `\\p{${name}}`],
    [`\\p{${name}}`, undefined],
  ] as const)
    try {
      new RegExp(`[${js}]`, "v");
      return { js, re2, negated: false };
    } catch {
      // Not a property of this kind.
    }
  return undefined;
}

/** Everything that a set is not. */
export const negate = ({ js, re2, negated }: CharSet): CharSet => ({ js, re2, negated: !negated });

/** A set as it may stand inside of another. */
const inner = ({ js, re2, negated }: CharSet): CharSet =>
  negated
    ? { js: `[^${js}]`, re2: /^\\p\{\w+\}$/.test(re2 ?? "") ? re2!.replace("\\p", "\\P") : undefined, negated: false }
    : { js, re2, negated: false };

/** What is in any of several sets. */
export function union(sets: readonly CharSet[]): CharSet {
  const all = sets.map(inner);
  const re2 = all.every((one) => one.re2 !== undefined) ? all.map((one) => one.re2).join("") : undefined;
  return { js: all.map((one) => one.js).join(""), re2, negated: false };
}

/** What is in all of several sets, which RE2 cannot say. */
export const intersection = (sets: readonly CharSet[]): CharSet =>
  sets.length === 1
    ? sets[0]!
    : { js: sets.map(({ js, negated }) => `[${negated ? "^" : ""}${js}]`).join("&&"), re2: undefined, negated: false };

let families: Map<string, number[]> | undefined;
/** All characters that differ only in case, by their common upper case; made when first needed. */
function caseFamilies(): Map<string, number[]> {
  if (families) return families;
  families = new Map();
  for (let code = 0; code < 0x1e944; code++) {
    if (code >= 0x3400 && code < 0xa640) continue;
    const char = String.fromCodePoint(code);
    const upper = char.toUpperCase();
    // The sharp s and others whose upper case is several characters have no family here.
    if ([...upper].length !== 1 || (upper === char && char.toLowerCase() === char)) continue;
    const family = families.get(upper);
    if (family) family.push(code);
    else families.set(upper, [code]);
  }
  // Signs whose lower case is a letter's.
  families.get("K")?.push(0x212a);
  families.get("Å")?.push(0x212b);
  families.get("Ω")?.push(0x2126);
  return families;
}

/** The characters from one to another, and those that differ from them only in case. */
export function caselessSet(from: number, to: number): CharSet {
  const sets = [rangeSet(from, to)];
  for (let code = from; code <= to; code++)
    for (const other of caseFamilies().get(String.fromCodePoint(code).toUpperCase()) ?? [])
      if (other < from || other > to) sets.push(rangeSet(other, other));
  return union(sets);
}

/** A set for one engine, ready to stand in a pattern. */
export const jsSet = ({ js, negated }: CharSet): string => `[${negated ? "^" : ""}${js}]`;
export const re2Set = ({ re2, negated }: CharSet): string | undefined => (re2 === undefined ? undefined : `[${negated ? "^" : ""}${re2}]`);
