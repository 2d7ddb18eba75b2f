/** A module under another name. */
export interface Renamed {
  readonly path: string;
  /** Which rows of the original's fused weight this is; all of them if not given. */
  readonly part?: Part;
  /** The two halves of the rows are exchanged: shift | scale in the original, scale | shift in diffusers. */
  readonly swapped?: boolean;
}

/** One of several modules that the original keeps in one weight: its share of the rows is sizes[index] / Σ sizes. */
export interface Part {
  readonly index: number;
  readonly sizes: readonly number[];
}

export type Family = "sd" | "sdxl" | "flux" | "sd3";

/** The two names of every module of a model family: as in the original checkpoint and as in diffusers. */
export interface NameMap {
  readonly family: Family;
  /** One name, or one per part of a fused weight; undefined for a path that the family does not have. */
  toDiffusers(path: string): readonly Renamed[] | undefined;
  /** `part` and `swapped` say how the module lies in the original's weight. */
  toOriginal(path: string): Renamed | undefined;
}

/** The rows of a part in a weight with `rows` rows; undefined if they do not come out whole. */
export function partRows({ index, sizes }: Part, rows: number): readonly [start: number, stop: number] | undefined {
  const total = sizes.reduce((a, b) => a + b, 0);
  if (rows % total !== 0) return undefined;
  const unit = rows / total;
  const start = sizes.slice(0, index).reduce((a, b) => a + b, 0) * unit;
  return [start, start + sizes[index]! * unit];
}
