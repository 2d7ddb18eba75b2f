import {
  boolean,
  type ConfigClass,
  configClass,
  dropout,
  type FieldTable,
  finite,
  integer,
  MAX_RANK,
  nested,
  oneOf,
  opaque,
  pattern,
  stringList,
  type Targeting,
  TARGETING,
  strength,
} from "@weft/tensor-core";
import { INVOCATION_FIELD } from "../alora/alora.js";
import {
  ARROW_FIELDS,
  type ArrowFields,
  BDLORA_FIELDS,
  type BdLoraFields,
  CORDA_FIELDS,
  type CordaFields,
  EVA_FIELDS,
  type EvaFields,
  KASA_FIELDS,
  type KasaFields,
  LOFTQ_FIELDS,
  type LoftQFields,
  LORA_GA_FIELDS,
  type LoraGaFields,
  MONTECLORA_FIELDS,
  type MontecloraFields,
  VELORA_FIELDS,
  type VeloraFields,
} from "./sub-configs.js";

/** PEFT 0.21.2's `LoraConfig` fields and defaults. @see peft `tuners/lora/config.py` */
export const LORA_FIELDS: FieldTable = {
  ...TARGETING,
  r: integer(8, 1, MAX_RANK),
  lora_alpha: strength(finite(8)),
  lora_dropout: dropout(),
  fan_in_fan_out: boolean(false),
  bias: oneOf("none", ["none", "all", "lora_only"]),
  use_rslora: boolean(false),
  init_lora_weights: {
    fallback: true,
    check: (v) => typeof v === "boolean" || (typeof v === "string" && INITS.test(v)),
    expected: "true, false or the name of an initialisation",
  },
  rank_pattern: pattern("r", 1, MAX_RANK, true),
  alpha_pattern: pattern("lora_alpha", -Number.MAX_VALUE, Number.MAX_VALUE, false),
  use_dora: boolean(false),
  lora_bias: boolean(false),
  target_parameters: stringList(),
  trainable_token_indices: opaque(),
  layer_replication: opaque(),
  ensure_weight_tying: boolean(false),
  alora_invocation_tokens: INVOCATION_FIELD,
  use_qalora: boolean(false),
  qalora_group_size: integer(16, 1, 2 ** 31 - 1),
  use_bdlora: nested(BDLORA_FIELDS),
  kasa_config: nested(KASA_FIELDS),
  arrow_config: nested(ARROW_FIELDS),
  monteclora_config: { ...nested(MONTECLORA_FIELDS), draws: "otherwise" },
  velora_config: nested(VELORA_FIELDS),
  loftq_config: nested(LOFTQ_FIELDS, {}),
  eva_config: nested(EVA_FIELDS),
  corda_config: nested(CORDA_FIELDS),
  lora_ga_config: nested(LORA_GA_FIELDS),
  megatron_config: opaque(),
  megatron_core: opaque("megatron.core"),
};

const INITS = /^(gaussian|orthogonal|olora|pissa(_niter_\d+)?|eva|loftq|corda|lora_ga|mica)$/;

/** The config of a LoRA adapter. Every field has PEFT's default. */
export interface LoraConfigFields extends Targeting {
  /** Rank of the update. */
  readonly r: number;
  /** The update is scaled by alpha / r (rsLoRA: alpha / √r). */
  readonly loraAlpha: number;
  readonly loraDropout: number;
  /** Base weights are stored [in, out]. */
  readonly fanInFanOut: boolean;
  readonly bias: "none" | "all" | "lora_only";
  readonly useRslora: boolean;
  readonly initLoraWeights: boolean | string;
  readonly rankPattern: { readonly [module: string]: number };
  readonly alphaPattern: { readonly [module: string]: number };
  /** Weight-decomposed LoRA: direction and magnitude apart. */
  readonly useDora: boolean;
  /** B has a bias. */
  readonly loraBias: boolean;
  readonly targetParameters: readonly string[] | null;
  /** An activated LoRA acts from the last occurrence of these tokens on. */
  readonly aloraInvocationTokens: readonly number[] | null;
  readonly trainableTokenIndices: readonly number[] | { readonly [embedding: string]: readonly number[] } | null;
  /** A sees the input averaged in groups of `qaloraGroupSize`. */
  readonly useQalora: boolean;
  readonly qaloraGroupSize: number;
  readonly useBdlora: BdLoraFields | null;
  /** The factor that `useBdlora` makes block-diagonal at this module: follows from its path, and is not in the file. */
  readonly blockDiagonal?: "A" | "B" | null;
  /** It is for one of `targetParameters`: follows from the path, and is not in the file. */
  readonly isParameter?: boolean;
  readonly kasaConfig: KasaFields | null;
  readonly montecloraConfig: MontecloraFields | null;
  readonly veloraConfig: VeloraFields | null;
  readonly arrowConfig: ArrowFields | null;
  readonly evaConfig: EvaFields | null;
  readonly cordaConfig: CordaFields | null;
  readonly loraGaConfig: LoraGaFields | null;
  /** `{}` where the initialisation is another. */
  readonly loftqConfig: LoftQFields | { readonly [none: string]: never };
}

const Base: ConfigClass<LoraConfigFields> = configClass("LORA", LORA_FIELDS);

/** A checked LoRA config. Takes PEFT's JSON (snake_case) or camelCase; absent fields have PEFT's defaults. @throws ConfigError naming the field */
export class LoraConfig extends Base {
  /** s = alpha / r, rsLoRA: alpha / √r. */
  get scaling(): number {
    return loraScaling(this);
  }
}

/** s = alpha / r, rsLoRA (Kalajdzievski 2023): alpha / √r. */
export function loraScaling(config: Pick<LoraConfigFields, "r" | "loraAlpha" | "useRslora">): number {
  return config.loraAlpha / (config.useRslora ? Math.sqrt(config.r) : config.r);
}
