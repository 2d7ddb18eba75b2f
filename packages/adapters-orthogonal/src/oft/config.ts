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

/** PEFT 0.21.2's `OFTConfig` fields and defaults. @see peft `tuners/oft/config.py` */
export const OFT_FIELDS: FieldTable = {
  ...TARGETING,
  r: integer(0, 0, MAX_FEATURES),
  oft_block_size: integer(32, 0, MAX_FEATURES),
  module_dropout: dropRate(),
  fan_in_fan_out: boolean(false),
  bias: oneOf("none", ["none", "all", "oft_only"]),
  init_weights: boolean(true),
  coft: boolean(false),
  eps: { float: true, fallback: 6e-5, check: (v) => typeof v === "number" && v >= 0 && Number.isFinite(v), expected: "a number from 0 on" },
  block_share: boolean(false),
  use_cayley_neumann: boolean(true),
  num_cayley_neumann_terms: integer(5, 1, 256),
};

/** The config of an OFT adapter. Every field has PEFT's default. */
export interface OFTConfigFields extends Targeting {
  /** Number of blocks; 0 if `oftBlockSize` says it. */
  readonly r: number;
  /** Size of the blocks; 0 if `r` says it. Sizes that do not divide the features become the nearest that does. */
  readonly oftBlockSize: number;
  /** How often a training step turns a block not at all; one block for all is always turned. PEFT reads it and forgets it. */
  readonly moduleDropout: number;
  /** Base weights are stored [in, out]. */
  readonly fanInFanOut: boolean;
  readonly bias: "none" | "all" | "oft_only";
  /** Start without effect; else from N(0, 0.1). */
  readonly initWeights: boolean;
  /** Constrained OFT: ‖Q‖ of each block is at most eps / √blocks. */
  readonly coft: boolean;
  readonly eps: number;
  /** One block for all. */
  readonly blockShare: boolean;
  /** A truncated series in place of the exact Cayley transform; it is near the *transpose* of the exact one. */
  readonly useCayleyNeumann: boolean;
  readonly numCayleyNeumannTerms: number;
}

const Base: ConfigClass<OFTConfigFields> = configClass("OFT", OFT_FIELDS);

/** A checked OFT config. Takes PEFT's JSON (snake_case) or camelCase; absent fields have PEFT's defaults. @throws ConfigError naming the field */
export class OFTConfig extends Base {}
