import type { ConvertModule } from "../conversion/convert-module.js";
import { withoutWholeScale } from "../conversion/fold-scale.js";

/**
 * A module as readers of LyCORIS's parameters know it.
 * @param where the dialect, for messages
 * @returns why it has no such form otherwise
 */
export function asLycoris(module: ConvertModule, where: string): ConvertModule | string {
  if (module.parameters.has("lora_up.bias")) return `a bias on B (lora_bias) has no name in ${where}'s files`;
  return withoutWholeScale(module);
}
