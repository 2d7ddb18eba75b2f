import { baseChange, loraVariant } from "@weft/adapters-lora";
import { CapabilityError } from "@weft/tensor-core";

type Values = { readonly [field: string]: unknown };

/** Config fields that make an adapter something that no change of weights can stand for, and why; what to do where it does not run either. */
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

/** Why an adapter's factors alone do not say what it does to its base. */
export interface SpecialLora {
  /**
   * `acts-otherwise`: it is no change of weights. `base-changed-by-init`: its beginning changed the base; `determined` if the base says how.
   * `variant`: what is stored are not, or not only, plain LoRA's A and B.
   */
  readonly kind: "acts-otherwise" | "base-changed-by-init" | "variant";
  readonly why: string;
  readonly determined?: boolean;
  /** What to do instead. */
  readonly remedy: string;
}

/** What in a PEFT config, in camelCase, makes an adapter more than its factors; undefined for an ordinary one. */
export function specialLora(values: Values): SpecialLora | undefined {
  const found = ACTS_OTHERWISE.find(([field]) => values[field] !== null && values[field] !== undefined && values[field] !== false);
  if (found) return { kind: "acts-otherwise", why: found[1], remedy: "keep it unmerged, in PEFT's form" };
  const change = baseChange(values);
  if (change) return { kind: "base-changed-by-init", ...change };
  const variant = loraVariant(values as never);
  return (
    variant && {
      kind: "variant",
      why: `${variant.field} stores more than plain factors, or in another layout`,
      remedy: "keep it in PEFT's form",
    }
  );
}

/** Whether A and B in the file are plain LoRA's. */
export const hasPlainFactors = (values: Values): boolean => loraVariant(values as never) === undefined;

/** @throws CapabilityError for adapters that act in a way that a model of layers with hooks does not offer */
export function refuseUnrunnable(values: Values): void {
  for (const [field, why, instead] of ACTS_OTHERWISE)
    if (instead && values[field] !== null && values[field] !== undefined)
      throw new CapabilityError(`this adapter cannot be run: ${why}`, { kind: "unsupported-method", hint: instead });
}
