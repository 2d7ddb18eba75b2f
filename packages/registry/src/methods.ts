import { ADALORA, FOURIERFT, IA3, LN_TUNING, LORA, TRAINABLE_TOKENS, VERA } from "@weft/adapters-lora";
import { LOHA, LOKR } from "@weft/adapters-lycoris";
import { ADAPTION_PROMPT, LILY, POLY, SHADOW, XLORA } from "@weft/adapters-model";
import { BOFT, HRA, OFT } from "@weft/adapters-orthogonal";
import { SHIRA, SUPERTUNING, UNILORA, WAVEFT } from "@weft/adapters-sparse";
import { ADAMSS, FROD, OSF, PSOFT, TINYLORA } from "@weft/adapters-spectral";
import { BEFT, C3A, DEFT, DELORA, GLORA, GRALORA, HIRA, MISS, PEANUT, PVERA, RANDLORA, ROAD, VBLORA } from "@weft/adapters-variants";
import type { PromptConfigFields, PromptMethod } from "@weft/adapters-prompt";
import type { AdapterMethod, FieldTable } from "@weft/tensor-core";
import { PROMPT_ENTRIES } from "./prompt/prompt-entries.js";

/** What the registry knows of one method: all of it once the method is defined, else how its keys begin. */
export interface MethodEntry {
  /** How the names of the method's parameters begin in a file; `""` for prompt methods, whose file holds `prompt_embeddings`. */
  readonly prefix: string;
  /** Fields of its config; without them a config is read as it is. */
  readonly fields?: FieldTable;
  /** The definition itself; without it keys are read, but shapes are not checked. */
  readonly method?: AdapterMethod<never>;
  /** The definition of a prompt method, which changes no layer but what stands in front of the input. */
  readonly prompt?: PromptMethod<PromptConfigFields>;
}

/** Methods by `peft_type`. A Map, as the type comes from a file. */
export type MethodTable = ReadonlyMap<string, MethodEntry>;

const PREFIXES: readonly (readonly [peftType: string, prefix: string])[] = [
  ["ADALORA", "lora_"],
  ["ADAMSS", "adamss_"],
  ["ADAPTION_PROMPT", "adaption_"],
  ["BEFT", "beft_"],
  ["BOFT", "boft_"],
  ["C3A", "c3a_"],
  ["CARTRIDGE", ""],
  ["CPT", ""],
  ["DEFT", "deft_"],
  ["DELORA", "delora_"],
  ["FOURIERFT", "fourierft_"],
  ["FROD", "frod_"],
  ["GLORA", "glora_"],
  ["GRALORA", "gralora_"],
  ["HIRA", "hira_"],
  ["HRA", "hra_"],
  ["IA3", "ia3_"],
  ["LILY", "lily_"],
  ["LN_TUNING", "ln_tuning_"],
  ["LOHA", "hada_"],
  ["LOKR", "lokr_"],
  ["MISS", "miss_"],
  ["MULTITASK_PROMPT_TUNING", ""],
  ["OFT", "oft_"],
  ["OSF", "osf_"],
  ["P_TUNING", ""],
  ["PEANUT", "peanut_"],
  ["POLY", "poly_"],
  ["PREFIX_TUNING", ""],
  ["PROMPT_TUNING", ""],
  ["PSOFT", "psoft_"],
  ["PVERA", "pvera_"],
  ["RANDLORA", "randlora_"],
  ["ROAD", "road_"],
  ["SHADOW", "shadow_"],
  ["SHIRA", "shira_"],
  ["SUPERTUNING", "supertuning_"],
  ["TINYLORA", "tinylora_"],
  ["TRAINABLE_TOKENS", "trainable_tokens_"],
  ["UNILORA", "unilora_"],
  ["VBLORA", "vblora_"],
  ["VERA", "vera_lambda_"],
  ["WAVEFT", "waveft_"],
  ["XLORA", "internal_xlora_"],
];

/** The methods that are defined, one line each. */
const DEFINED: readonly MethodEntry[] = [
  methodEntry(ADALORA),
  methodEntry(ADAMSS),
  methodEntry(ADAPTION_PROMPT),
  methodEntry(BEFT),
  methodEntry(BOFT),
  methodEntry(C3A),
  methodEntry(DEFT),
  methodEntry(DELORA),
  methodEntry(FOURIERFT),
  methodEntry(FROD),
  methodEntry(GLORA),
  methodEntry(GRALORA),
  methodEntry(HIRA),
  methodEntry(HRA),
  methodEntry(IA3),
  methodEntry(LILY),
  methodEntry(LN_TUNING),
  methodEntry(LOHA),
  methodEntry(LOKR),
  methodEntry(LORA),
  methodEntry(MISS),
  methodEntry(OFT),
  methodEntry(OSF),
  methodEntry(PEANUT),
  methodEntry(POLY),
  methodEntry(PSOFT),
  methodEntry(PVERA),
  methodEntry(RANDLORA),
  methodEntry(ROAD),
  methodEntry(SHADOW),
  methodEntry(SHIRA),
  methodEntry(SUPERTUNING),
  methodEntry(TINYLORA),
  methodEntry(TRAINABLE_TOKENS),
  methodEntry(UNILORA),
  methodEntry(VBLORA),
  methodEntry(VERA),
  methodEntry(WAVEFT),
  methodEntry(XLORA),
];

/** The registry's entry of a method's definition. */
export function methodEntry<C>(method: AdapterMethod<C>): MethodEntry {
  return { prefix: method.prefix, fields: method.fields, method: method as AdapterMethod<never> };
}

/** Every `peft_type` of PEFT 0.21.2. @see peft `utils/peft_types.py` */
export const PEFT_METHODS: MethodTable = new Map<string, MethodEntry>([
  ...PREFIXES.map(([peftType, prefix]) => [peftType, { prefix }] as const),
  ...DEFINED.map((entry) => [entry.method!.name, entry] as const),
  ...PROMPT_ENTRIES,
]);
