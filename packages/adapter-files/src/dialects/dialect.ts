/** The key schemes that adapter files come in. */
export const DIALECT_NAMES = [
  "peft",
  "kohya",
  "lycoris",
  "diffusers",
  "diffusers-middle",
  "diffusers-old",
  "comfyui",
  "control-lora",
  "ai-toolkit",
  "onetrainer",
  "xlabs",
  "own-paths",
  "mlx",
] as const;
/** A key scheme: that of PEFT, or of another program. */
export type DialectName = (typeof DIALECT_NAMES)[number];

/**
 * The part of a pipeline that a module belongs to; `model` if the file is for one model. `te` is the only text encoder of a pipeline (SD 1 and 2),
 * `te1` … `te3` are numbered as kohya does: CLIP-L, CLIP-G, T5.
 */
export type Component = "model" | "denoiser" | "te" | "te1" | "te2" | "te3" | "prior" | "priorTe";

/** One key of a file, taken apart. */
export interface DialectKey {
  /** What stands in front of the parameter, as it is in the file. */
  readonly module: string;
  readonly component: Component;
  /** Path within the component. */
  readonly path: string;
  /** The path has `_` where the model has dots. */
  readonly flat: boolean;
  /** The parameter under LyCORIS's name: `lora_down.weight`, `hada_w1_a`, `dora_scale`, `alpha`. */
  readonly parameter: string;
}

/** What detection looks at besides the keys. */
export interface DialectHints {
  readonly metadata: ReadonlyMap<string, string>;
  readonly has: (name: string) => boolean;
}

/** One key scheme: how it is recognised, read and written. */
export interface Dialect {
  readonly name: DialectName;
  /** What its keys look like, for messages. */
  readonly example: string;
  /** Dialects whose keys this one reads as well: where both read a file whole, they are what it is. */
  readonly includes: readonly DialectName[];
  /** What, besides keys, says that a file is of this dialect. */
  claims?(hints: DialectHints): string | undefined;
  /** The keys that it reads may be anybody's: it takes a file for its own only if something claims it. */
  isVague?(keys: readonly DialectKey[]): boolean;
  /** A tensor that stands for the whole one of that name in the base. */
  isWhole?(name: string): boolean;
  readKey(name: string): DialectKey | undefined;
  /** The key of a parameter; undefined where the dialect has no name for the component or the parameter. */
  writeKey?(component: Component, path: string, parameter: string): string | undefined;
}
