/** A module of a LoRA: its rank, and what its factors' product is multiplied by. */
export interface RankedModule {
  readonly path: string;
  readonly rank: number | undefined;
  readonly scale: number;
}

/** PEFT's fields that say which modules have which rank and alpha. */
export interface RankFields {
  readonly r: number;
  readonly alpha: number;
  readonly rankPattern: { readonly [path: string]: number };
  readonly alphaPattern: { readonly [path: string]: number };
}

function commonest(values: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].toSorted((a, b) => b[1] - a[1])[0]![0];
}

/**
 * One rank and one alpha for most modules, and patterns for the rest: whole paths, anchored, so that none is taken for the end of another.
 * @see diffusers `loaders/peft.py`, which anchors them, too
 */
export function rankFields(modules: readonly RankedModule[]): RankFields {
  const entries = modules.map(({ path, rank, scale }) => ({ path, rank: rank!, alpha: scale * rank! }));
  const [r, alpha] = [commonest(entries.map((e) => e.rank)), commonest(entries.map((e) => e.alpha))];
  const pattern = (of: (e: (typeof entries)[number]) => number, base: number): { [path: string]: number } =>
    Object.fromEntries(entries.filter((e) => of(e) !== base).map((e) => [`^${e.path}`, of(e)]));
  return { r, alpha, rankPattern: pattern((e) => e.rank, r), alphaPattern: pattern((e) => e.alpha, alpha) };
}
