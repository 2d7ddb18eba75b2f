import type { ConvertModule, Loss } from "../conversion/convert-module.js";

/** Programs that have DoRA for all modules or for none would give magnitudes of their own to those that lack them. */
export function partialDora(modules: readonly ConvertModule[], where: string): Loss[] {
  const without = modules.find(({ parameters }) => !parameters.has("dora_scale"));
  const some = modules.some(({ parameters }) => parameters.has("dora_scale"));
  if (!without || !some) return [];
  return [
    {
      module: without.label,
      message: `${without.label} has no magnitudes and others have (DoRA); ${where} has them for all modules or for none`,
    },
  ];
}
