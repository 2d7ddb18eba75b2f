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

/** Models whose modules have the same names. */
export type Family =
  | "sd"
  | "sdxl"
  | "sd3"
  | "flux"
  | "flux2"
  | "chroma"
  | "wan"
  | "ltx"
  | "lumina2"
  | "z-image"
  | "qwen-image"
  | "hunyuan-video";

/** Whose names: the original checkpoint's, or diffusers'. */
export type Style = "original" | "diffusers";

/** One module of a family under both names; each `#` is a number, the same in both. */
export interface NameRow {
  /** Several spellings of one name: the first is written. */
  readonly original: string | readonly string[];
  /** Several names: the parts of one fused weight of the original. */
  readonly diffusers: string | readonly string[];
  /** Shares of the parts of a fused weight; equal if not given. */
  readonly sizes?: readonly number[];
  readonly swapped?: boolean;
  /** The original's weight that this is some rows of: a name that programs have for them, and that is only read. */
  readonly within?: Renamed & { readonly part: Part };
}

/** The names of a denoiser, and where its pipeline has it. */
export interface FamilyNames {
  readonly family: Family;
  /** The pipeline's attribute, which the keys of diffusers' adapters begin with. */
  readonly attribute: "unet" | "transformer";
  /** diffusers' classes of its models: `_class_name` of their config.json. */
  readonly classes: readonly string[];
  /** Modules whose number of inputs tells this family from others with the same names, and the numbers that its models have. */
  readonly inputs: readonly [modules: RegExp, sizes: readonly number[]];
  readonly rows: readonly NameRow[];
  /** Modules that only some models of the family have. @see partOf */
  readonly part?: { readonly name: string; readonly modules: RegExp };
}

/** The two names of every module of a model family. */
export interface NameMap {
  /** One name, or one per part of a fused weight; undefined for a path that the family does not have. @param path dotted, or flat */
  toDiffusers(path: string): readonly Renamed[] | undefined;
  /** `part` and `swapped` say how the module lies in the original's weight. @param path dotted, or flat */
  toOriginal(path: string): Renamed | undefined;
  /** Names that programs have for rows of this weight of the original. @param path dotted, or flat */
  partsOf(path: string): readonly Renamed[];
  /** All names that the original has for this one of its names. @param path dotted, or flat */
  spellings(path: string): readonly string[];
  /** The path with its dots; undefined for one that the family does not have in this style. */
  known(path: string, style: Style): string | undefined;
}

/** The rows of a part in a weight with `rows` rows; undefined if they do not come out whole. */
export function partRows({ index, sizes }: Part, rows: number): readonly [start: number, stop: number] | undefined {
  const total = sizes.reduce((a, b) => a + b, 0);
  if (rows % total !== 0) return undefined;
  const unit = rows / total;
  const start = sizes.slice(0, index).reduce((a, b) => a + b, 0) * unit;
  return [start, start + sizes[index]! * unit];
}
