import { flatten } from "../flat-dialect.js";
import type { NameMap, NameRow, Renamed, Style } from "./name-map.js";

/** A name with `#` for numbers, and what it is called in the other style. */
interface Entry {
  /** With dots; several where spellings differ in nothing else, the one that is written first. */
  readonly names: readonly string[];
  readonly renamed: readonly Renamed[];
  readonly spellings: readonly string[];
  /** Names for some of its rows. */
  readonly parts: readonly Renamed[];
}

/** A style's names by their flat form with `#` for every number. */
type Table = Map<string, { readonly entry: Entry; readonly numbers: readonly string[] }[]>;

const isNumber = (word: string): boolean => /^(?:\d+|#)$/.test(word);

/** A flat name in words: what it is with `#` for every number, and those numbers. */
function taken(flat: string): { readonly form: string; readonly numbers: readonly string[] } {
  const words = flat.split("_");
  return { form: words.map((word) => (isNumber(word) ? "#" : word)).join("_"), numbers: words.filter(isNumber) };
}

function put(table: Table, flat: string, entry: Entry): void {
  const { form, numbers } = taken(flat);
  table.set(form, [...(table.get(form) ?? []), { entry, numbers }]);
}

/** A family's map out of its table. Flat names find their dots in the table. */
export function tableMap(rows: readonly NameRow[]): NameMap {
  const tables: { readonly [S in Style]: Table } = { original: new Map(), diffusers: new Map() };
  const partsOf = (originals: readonly string[]): Renamed[] =>
    rows.flatMap(({ original, within }) =>
      within && originals.includes(within.path) ? [{ path: listOf(original)[0]!, part: within.part }] : [],
    );
  for (const row of rows) {
    const [originals, names] = [listOf(row.original), listOf(row.diffusers)];
    const sizes = row.sizes ?? names.map(() => 1);
    const extra = (index: number): Omit<Renamed, "path"> => ({
      ...(names.length > 1 && { part: { index, sizes } }),
      ...(row.swapped && { swapped: true }),
    });
    const renamed = names.map((path, index) => ({ path, ...extra(index) }));
    for (const key of new Set(originals.map(flatten)))
      put(tables.original, key, {
        names: originals.filter((name) => flatten(name) === key),
        renamed,
        spellings: originals,
        parts: partsOf(originals),
      });
    if (row.within) continue;
    names.forEach((name, index) =>
      put(tables.diffusers, flatten(name), {
        names: [name],
        renamed: [{ path: originals[0]!, ...extra(index) }],
        spellings: [],
        parts: [],
      }),
    );
  }
  const found = (path: string, style: Style): Entry | undefined => find(tables[style], path);
  return {
    toDiffusers: (path) => found(path, "original")?.renamed,
    toOriginal: (path) => found(path, "diffusers")?.renamed[0],
    partsOf: (path) => found(path, "original")?.parts ?? [],
    spellings: (path) => found(path, "original")?.spellings ?? [],
    known: (path, style) => found(path, style)?.names[0],
  };
}

const listOf = (names: string | readonly string[]): readonly string[] => (typeof names === "string" ? [names] : names);

/** The entry of a path with the path's own numbers in it. */
function find(table: Table, path: string): Entry | undefined {
  const { form, numbers } = taken(flatten(path));
  for (const { entry, numbers: wanted } of table.get(form) ?? []) {
    if (!wanted.every((number, i) => number === "#" || number === numbers[i])) continue;
    const blocks = numbers.filter((_, i) => wanted[i] === "#");
    const filled = (name: string): string => {
      let at = 0;
      return name.replaceAll("#", () => blocks[at++]!);
    };
    const [spelled, dotted] = [entry.names.map(filled), path.includes(".")];
    // A dotted path is that name only if its dots are.
    if (dotted && !spelled.includes(path)) continue;
    const fill = (renamed: Renamed): Renamed => ({ ...renamed, path: filled(renamed.path) });
    return {
      names: dotted ? [path] : spelled,
      spellings: entry.spellings.map(filled),
      renamed: entry.renamed.map(fill),
      parts: entry.parts.map(fill),
    };
  }
  return undefined;
}
