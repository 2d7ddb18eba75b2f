import { ConfigError } from "@weft/tensor-core";
import type { LoraConfigFields } from "../lora/config.js";
import { BDLORA } from "./bdlora.js";
import { KASA } from "./kasa.js";
import { MICA } from "./mica.js";
import { MONTECLORA } from "./monteclora.js";
import { QALORA } from "./qalora.js";
import type { LoraVariant } from "./variant.js";
import { VELORA } from "./velora.js";

/** Which variants a config asks for. */
const CHOICES: readonly (readonly [LoraVariant, (config: LoraConfigFields) => boolean])[] = [
  [KASA, ({ kasaConfig }) => Boolean(kasaConfig)],
  [MONTECLORA, ({ montecloraConfig }) => Boolean(montecloraConfig)],
  [VELORA, ({ veloraConfig }) => Boolean(veloraConfig)],
  [BDLORA, ({ useBdlora }) => Boolean(useBdlora)],
  [QALORA, ({ useQalora }) => useQalora],
  [MICA, ({ initLoraWeights }) => initLoraWeights === "mica"],
];

/** Names of the parameters that variants have beside A and B, on disk. */
export const VARIANT_KEYS: { readonly [name: string]: readonly string[] } = Object.assign({}, ...CHOICES.map(([{ keys }]) => keys ?? {}));

/**
 * The variant that a config asks for; undefined for plain LoRA, and for DoRA and aLoRA, which are not a matter of A and B.
 * @throws ConfigError if it asks for more than one: PEFT combines none either
 */
export function loraVariant(config: LoraConfigFields): LoraVariant | undefined {
  const chosen = CHOICES.flatMap(([variant, test]) => (test(config) ? [variant] : []));
  const fields = [
    ...chosen.map(({ field }) => field),
    ...(config.useDora ? ["use_dora"] : []),
    ...(config.aloraInvocationTokens?.length ? ["alora_invocation_tokens"] : []),
  ];
  if (fields.length > 1) throw new ConfigError(`variants of LoRA cannot be combined: ${fields.join(" and ")}`, { hint: "choose one" });
  return chosen[0];
}
