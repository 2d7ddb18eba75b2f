import { concat, ConfigError, integer, rows } from "@weft/tensor-core";
import { embeddingOf, MAX_SIZE, PROMPT, PROMPT_FIELDS, type PromptConfigFields, type PromptMethod } from "@weft/tensor-core/prompt";
import { prefixWidth } from "../prefix-tuning/prefix-tuning.js";

/** PEFT's `CartridgeConfig`. */
export interface CartridgeConfigFields extends PromptConfigFields {
  /** Virtual tokens at the start that do not train: models use the first ones as attention sinks. */
  readonly numFrozenTokens: number;
}

const [FROZEN, TRAINABLE] = ["frozen_embedding", "trainable_embedding"] as const;

/**
 * Cartridges (Eyuboglu et al. 2025): keys and values in front of each layer's own, trained directly but for the first ones. Usually started from
 * those of a text (`prefixFromKeyValues`).
 * @see peft `tuners/cartridge/model.py`
 */
export const CARTRIDGE: PromptMethod<CartridgeConfigFields> = {
  name: "CARTRIDGE",
  kind: "keyValues",
  fields: { ...PROMPT_FIELDS, num_frozen_tokens: integer(1, 0, MAX_SIZE) },
  resolve(values) {
    const [frozen, count] = [values["numFrozenTokens"], values["numVirtualTokens"]] as [number, number | null];
    if (count !== null && frozen > count)
      throw new ConfigError(`num_frozen_tokens is ${frozen}, more than num_virtual_tokens, ${count}`, { kind: "config-schema" });
    return {};
  },
  parameters(config) {
    const { numVirtualTokens: count, numFrozenTokens: frozen } = config;
    const width = prefixWidth(config);
    return {
      ...(frozen > 0 && { [FROZEN]: { ...embeddingOf(frozen, width), trainable: false } }),
      [TRAINABLE]: embeddingOf(count - frozen, width),
    };
  },
  encode: (params) => ({ [PROMPT]: params[FROZEN] ? concat([params[FROZEN], params[TRAINABLE]!]) : params[TRAINABLE]! }),
  saved: (config) => ({ [PROMPT]: [config.numVirtualTokens, prefixWidth(config)] }),
  restore(saved, { numFrozenTokens: frozen, numVirtualTokens: count }) {
    const all = saved[PROMPT]!;
    return { ...(frozen > 0 && { [FROZEN]: rows(all, 0, frozen) }), [TRAINABLE]: rows(all, frozen, count) };
  },
};
