import {
  boolean,
  type DType,
  type Field,
  type FieldTable,
  finite,
  integer,
  MAX_RANK,
  oneOf,
  pattern,
  dropRate,
  readFields,
  type Shape,
  TARGETING,
  strength,
} from "@weft/tensor-core";

/** What every config of this package has in memory besides the fields of its method. */
export interface LycorisConfig {
  /** Whose rules hold where the two differ (both halves of LoKr full, Conv1d layouts, initial values); PEFT's if not given. */
  readonly dialect?: "peft" | "lycoris";
  /** Parameters that a file holds with other axes than the method's own: `[out, r]` for `[out, r, 1, 1]`. Set by `configFromShapes`. */
  readonly stored?: { readonly [name: string]: Shape };
  /** Parameters are used as rounded to this dtype, in which new ones are made: `bf16` trains what a bf16 file will hold. */
  readonly storage?: DType | null;
}

/** Config of a method whose ΔW has a rank. */
export interface RankConfig extends LycorisConfig {
  readonly r: number;
  /** ΔW is scaled by alpha / r; null: by 1, as where a file has no alpha. */
  readonly alpha: number | null;
  /** Share of the rows of ΔW that a training step leaves out. */
  readonly rankDropout: number;
  /** How often a training step leaves out ΔW as a whole. */
  readonly moduleDropout: number;
  /** The rows that stay are scaled up by the share that was left out. */
  readonly rankDropoutScale?: boolean;
  /** DoRA: W + ΔW at learned magnitudes. */
  readonly weightDecompose?: boolean;
  /** The magnitudes are those of rows; false: of input columns. */
  readonly wdOnOut?: boolean;
}

/** PEFT's fields of LoHa and LoKr. @see peft `tuners/loha/config.py` */
export const PEFT_FIELDS: FieldTable = {
  r: integer(8, 1, MAX_RANK),
  alpha: strength(finite(8)),
  rank_dropout: dropRate(),
  module_dropout: dropRate(),
  use_effective_conv2d: boolean(false),
  ...TARGETING,
  init_weights: boolean(true),
  rank_pattern: pattern("r", 1, MAX_RANK, true),
  alpha_pattern: pattern("alpha", -Number.MAX_VALUE, Number.MAX_VALUE, false),
};

/** LyCORIS' options of its low-rank methods, with its defaults. @see lycoris `modules/locon.py` */
export const LYCORIS_FIELDS: FieldTable = {
  r: integer(4, 0, MAX_RANK),
  alpha: strength(finite(1)),
  rank_dropout: dropRate(),
  module_dropout: dropRate(),
  rank_dropout_scale: boolean(false),
};

/** What LyCORIS has for all methods of a kind, and PEFT's tables do not. */
const MORE_FIELDS: FieldTable = {
  rank_dropout_scale: boolean(false),
  weight_decompose: boolean(false),
  wd_on_out: boolean(true),
  full_matrix: boolean(false),
  unbalanced_factorization: boolean(false),
  rs_lora: boolean(false),
  storage: oneOf<DType | null>(null, [null, "f32", "f16", "bf16"]),
};

const orNull = (field: Field): Field => ({ ...field, check: (v) => v === null || field.check(v), expected: `${field.expected}, or null` });

/**
 * A checked config under LyCORIS' rules, of LyCORIS' names or camelCase: the method's own fields, and for all methods of a kind
 * `weight_decompose`, `wd_on_out` (DoRA), `rank_dropout_scale`, `rs_lora` (which makes alpha what files hold, alpha·√r), `full_matrix`
 * and `unbalanced_factorization` (LoKr) and `storage`. alpha null: ΔW is not scaled.
 * @throws ConfigError naming the field
 */
export function lycorisConfig<C>(
  method: { readonly fields: FieldTable },
  values: Partial<C> | { readonly [name: string]: unknown } = {},
): C {
  const { r, alpha } = method.fields;
  const table = { ...MORE_FIELDS, ...method.fields, ...(r && { r: integer(4, 0, MAX_RANK) }), ...(alpha && { alpha: orNull(alpha) }) };
  const { rsLora, ...config } = readFields(table, values as { readonly [name: string]: unknown });
  const rank = config.r as number;
  const scaled = rsLora ? { alpha: ((config.alpha as number | null) ?? rank) * Math.sqrt(rank) } : {};
  return { dialect: "lycoris", ...config, ...scaled } as C;
}

/**
 * s = alpha / r, the same for every file: with rsLoRA LyCORIS stores alpha·√r. 1 without alpha, 0 at rank 0, where the original divides
 * by zero.
 * @see lycoris `modules/locon.py`
 */
export function rankScale({ r, alpha }: Pick<RankConfig, "r" | "alpha">): number {
  if (r === 0) return 0;
  return alpha === null ? 1 : alpha / r;
}
