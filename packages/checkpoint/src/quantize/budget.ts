import { type ChosenFormats, chooseFormats, type Cost, type LayerChoices } from "@weft/quant-nf4-awq";
import { ConfigError } from "@weft/tensor-core";
import { formatBytes } from "../format-bytes.js";

/**
 * Of the ways to store each layer those with the smallest sum of squared relative errors, within so many bytes.
 * @param least bytes of the smallest output that there is
 * @param fixed bytes of the output that are none of a layer's choice
 * @throws ConfigError for a budget that nothing fits into
 */
export function chooseWithin<C extends Cost>(
  layers: readonly LayerChoices<C>[],
  { budget, least, fixed, what }: { readonly budget: number; readonly least: number; readonly fixed: number; readonly what: string },
): ChosenFormats<C> {
  if (least > budget)
    throw new ConfigError(
      `--budget ${formatBytes(budget)} (${budget} bytes): the smallest ${what} takes ${formatBytes(least)} (${least} bytes)`,
      {
        hint: `--budget ${least}, or more`,
      },
    );
  return chooseFormats(layers, budget - fixed);
}
