import {
  boolean,
  type ConfigClass,
  configClass,
  type FieldTable,
  integer,
  oneOf,
  dropRate,
  type Targeting,
  TARGETING,
} from "@weft/tensor-core";

const MAX_FEATURES = 2 ** 31 - 1;

/** PEFT 0.21.2's `BOFTConfig` fields and defaults. @see peft `tuners/boft/config.py` */
export const BOFT_FIELDS: FieldTable = {
  ...TARGETING,
  boft_block_size: integer(4, 0, MAX_FEATURES),
  boft_block_num: integer(0, 0, MAX_FEATURES),
  boft_n_butterfly_factor: integer(1, 1, 30),
  boft_dropout: dropRate(),
  fan_in_fan_out: boolean(false),
  bias: oneOf("none", ["none", "all", "boft_only"]),
  init_weights: boolean(true),
};

/** The config of a BOFT adapter. Every field has PEFT's default. */
export interface BOFTConfigFields extends Targeting {
  /** Size of the blocks; 0 if `boftBlockNum` says it. */
  readonly boftBlockSize: number;
  /** Number of blocks; 0 if `boftBlockSize` says it. */
  readonly boftBlockNum: number;
  /** Number m of factors; with more, each output sees b·2^(m-1) inputs. */
  readonly boftNButterflyFactor: number;
  /** How often a training step turns a block not at all, in one of the m factors on average. */
  readonly boftDropout: number;
  /** Base weights are stored [in, out]. */
  readonly fanInFanOut: boolean;
  readonly bias: "none" | "all" | "boft_only";
  /** Start without effect; else from N(0, 0.1) and scales from N(1, 0.1). */
  readonly initWeights: boolean;
}

const Base: ConfigClass<BOFTConfigFields> = configClass("BOFT", BOFT_FIELDS);

/** A checked BOFT config. Takes PEFT's JSON (snake_case) or camelCase; absent fields have PEFT's defaults. @throws ConfigError naming the field */
export class BOFTConfig extends Base {}
