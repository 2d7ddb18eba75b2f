import type { SpecialForm } from "@weft/tensor-core";
import { baseChange } from "../init/base-change.js";
import { loraVariant } from "../variants/variants.js";
import type { LoraConfigFields } from "./config.js";

/** Fields that make an adapter something that no change of weights can stand for, and why; what to do where it does not run either. */
const ACTS_OTHERWISE: readonly (readonly [field: string, why: string, instead?: string])[] = [
  ["aloraInvocationTokens", "aLoRA acts only behind its invocation tokens"],
  [
    "arrowConfig",
    "Arrow routes between adapters token by token",
    "load the adapters that it routes to, and give their names to addArrowRouter",
  ],
  [
    "layerReplication",
    "the adapter repeats layers of the base",
    "build the model with the repeated layers, and set layer_replication to null",
  ],
];

/** What in a LoRA's config makes it more than its factors. */
export function specialForm(config: LoraConfigFields): SpecialForm | undefined {
  const values = config as unknown as { readonly [field: string]: unknown };
  const plain = loraVariant(config) === undefined;
  const found = ACTS_OTHERWISE.find(([field]) => values[field] !== null && values[field] !== undefined && values[field] !== false);
  if (found) {
    const [, why, insteadOfRunning] = found;
    return {
      kind: "acts-otherwise",
      why,
      plain,
      remedy: "keep it unmerged, in PEFT's form",
      ...(insteadOfRunning && { insteadOfRunning }),
    };
  }
  const change = baseChange(config);
  if (change) return { kind: "base-changed-by-init", plain, ...change };
  const variant = loraVariant(config);
  return (
    variant && {
      kind: "variant",
      plain,
      why: `${variant.field} stores more than plain factors, or in another layout`,
      remedy: "keep it in PEFT's form",
    }
  );
}
