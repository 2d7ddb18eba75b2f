import {
  boolean,
  type ConfigClass,
  configClass,
  type FieldTable,
  integer,
  MAX_RANK,
  oneOf,
  type Targeting,
  TARGETING,
} from "@weft/tensor-core";

/** PEFT 0.21.2's `HRAConfig` fields and defaults. @see peft `tuners/hra/config.py` */
export const HRA_FIELDS: FieldTable = {
  ...TARGETING,
  r: integer(8, 1, MAX_RANK),
  apply_GS: boolean(false),
  bias: oneOf("none", ["none", "all", "hra_only"]),
  init_weights: boolean(true),
};

/** The config of an HRA adapter. Every field has PEFT's default. */
export interface HRAConfigFields extends Targeting {
  /** Number of reflections. */
  readonly r: number;
  /** Orthogonalise the vectors by Gram–Schmidt. */
  readonly applyGS: boolean;
  readonly bias: "none" | "all" | "hra_only";
  /** Start as pairs of equal reflections, without effect (even r only); else at random. */
  readonly initWeights: boolean;
}

const Base: ConfigClass<HRAConfigFields> = configClass("HRA", HRA_FIELDS);

/** A checked HRA config. Takes PEFT's JSON (snake_case) or camelCase; absent fields have PEFT's defaults. @throws ConfigError naming the field */
export class HRAConfig extends Base {}
