import type { Family, NameMap, Renamed } from "./name-map.js";

/** One module of a family: the original's name and diffusers'; `#` is the number of the block. */
export interface NameRow {
  readonly original: string;
  readonly diffusers: string | readonly string[];
  /** Shares of the parts of a fused weight; equal if not given. */
  readonly sizes?: readonly number[];
  readonly swapped?: boolean;
}

/** The first number of a path stands for the block. */
const BLOCK = /(?<=\.)\d+(?=\.|$)/;

/** A family whose names follow from a table. */
export function tableMap(family: Family, rows: readonly NameRow[]): NameMap {
  const byOriginal = new Map<string, readonly Renamed[]>();
  const byDiffusers = new Map<string, Renamed>();
  for (const { original, diffusers, sizes, swapped } of rows) {
    const names = typeof diffusers === "string" ? [diffusers] : diffusers;
    const shares = sizes ?? names.map(() => 1);
    const extra = (index: number): Omit<Renamed, "path"> => ({
      ...(names.length > 1 && { part: { index, sizes: shares } }),
      ...(swapped && { swapped }),
    });
    byOriginal.set(
      original,
      names.map((path, index) => ({ path, ...extra(index) })),
    );
    names.forEach((name, index) => byDiffusers.set(name, { path: original, ...extra(index) }));
  }
  const find = <T>(table: ReadonlyMap<string, T>, path: string): { readonly found: T; readonly number: string } | undefined => {
    const exact = table.get(path);
    if (exact) return { found: exact, number: "" };
    const number = BLOCK.exec(path)?.[0];
    const found = number === undefined ? undefined : table.get(path.replace(BLOCK, "#"));
    return found && { found, number: number! };
  };
  return {
    family,
    toDiffusers(path) {
      const hit = find(byOriginal, path);
      return hit?.found.map((renamed) => ({ ...renamed, path: renamed.path.replace("#", hit.number) }));
    },
    toOriginal(path) {
      const hit = find(byDiffusers, path);
      return hit && { ...hit.found, path: hit.found.path.replace("#", hit.number) };
    },
  };
}
