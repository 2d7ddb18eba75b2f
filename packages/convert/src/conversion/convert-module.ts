import type { Component, DialectName } from "@weft/adapter-files/dialects";
import type { LazyTensor } from "./lazy-tensor.js";
import type { WholeTensor } from "./whole-tensor.js";

/** Rows of a module before and after conversion that hold the same change. */
export interface Piece {
  /** Key of the module in the adapter that is converted. */
  readonly source: string;
  /** Its rows that this is; all if not given. */
  readonly sourceRows?: readonly [start: number, stop: number];
  /** The rows of the new module that this is; all if not given. */
  readonly targetRows?: readonly [start: number, stop: number];
  /** The halves of the rows are exchanged. */
  readonly swapped?: boolean;
}

/** A module on its way from one dialect to another. */
export interface ConvertModule {
  /** Its name in the file, for messages. */
  readonly label: string;
  readonly component: Component;
  /** With dots. */
  readonly path: string;
  /** The path was guessed from a name with underscores. */
  readonly guessed: boolean;
  /** LyCORIS's name of the method: LOCON for every LoRA. */
  readonly method: string;
  /** Under LyCORIS's names, without scalars. */
  readonly parameters: ReadonlyMap<string, LazyTensor>;
  /** What the scale is divided by; undefined for methods that have none. */
  readonly rank: number | undefined;
  /** Factor on what the parameters give. */
  readonly scale: number;
  /** One-element tensors that are not a scale: OFT's constraint, `on_input`. */
  readonly scalars: ReadonlyMap<string, LazyTensor>;
  readonly pieces: readonly Piece[];
  /** What was rounded to fit the target. */
  readonly rounded?: string;
  /** It is of an embedding, for which only PEFT has a form. */
  readonly embedding?: boolean;
  /** The dialect that it comes from. */
  readonly dialect?: DialectName;
  /** Shape of the weight in the base, where one was given. */
  readonly weightShape?: readonly number[];
}

/** Something that the target has no form for. */
export interface Loss {
  readonly module: string;
  /** What is lost, and why. */
  readonly message: string;
  /** The module is written all the same, less exactly; otherwise it is left out. */
  readonly keeps?: boolean;
  /** What PEFT's files have a place for. */
  readonly whole?: WholeTensor;
}

/** True for a LoKr neither of whose halves is factored: LyCORIS's files have no scale then. */
export const isWholeLokr = (parameters: ReadonlyMap<string, unknown>): boolean => parameters.has("lokr_w1") && parameters.has("lokr_w2");
