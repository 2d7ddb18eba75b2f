import type { LoraConfigFields } from "../lora/config.js";

/** What an adapter's beginning did to its base before training. */
export interface BaseChange {
  /** For messages: what changed the base. */
  readonly why: string;
  /** It follows from the base weight and the config alone. Else only PEFT's conversion while saving makes an adapter for the original base. */
  readonly determined: boolean;
  /** What to do where it has to be known, and is not. */
  readonly remedy: string;
}

/** Initialisations that take s·B·A out of the base; why each is not known from the base alone. */
const INITS: { readonly [name: string]: string | undefined } = {
  pissa: undefined,
  olora: undefined,
  corda: "by the inputs that it was recorded with",
  lora_ga: "by the gradients that it was recorded with",
  loftq: "by a quantiser",
};

const CONVERT = "save it with PEFT's path_initial_model_for_weight_conversion, which gives an ordinary LoRA";
const KEEP_BASE = "save the changed base beside the adapter, and set init_lora_weights to true in its config";

/** What the beginning of an adapter changed in its base; undefined where that stayed as it was. Takes a whole config, or a module's. */
export function baseChange(config: Partial<Pick<LoraConfigFields, "initLoraWeights" | "kasaConfig">>): BaseChange | undefined {
  const { initLoraWeights: name, kasaConfig } = config;
  if (kasaConfig)
    return {
      why: "KaSA cut the smallest singular components off the base weight before training",
      determined: true,
      remedy: "keep the original base",
    };
  if (typeof name !== "string") return undefined;
  const drawn = name.startsWith("pissa_niter_");
  if (!drawn && !Object.hasOwn(INITS, name)) return undefined;
  const by = drawn ? "by random numbers" : INITS[name];
  const why = `init_lora_weights is "${name}", which changed the base weight before training`;
  // PEFT converts no LoftQ.
  return {
    why: by ? `${why}, ${by}` : why,
    determined: by === undefined,
    remedy: name === "loftq" ? KEEP_BASE : `${CONVERT}; or ${KEEP_BASE}`,
  };
}
