/** Config fields that make an adapter something that no change of weights can stand for, and why. */
const ACTS_OTHERWISE: readonly (readonly [field: string, why: string])[] = [
  ["aloraInvocationTokens", "aLoRA acts only behind its invocation tokens"],
  ["useQalora", "QALoRA pools its input"],
  ["useBdlora", "block-diagonal LoRA has factors of another layout"],
  ["kasaConfig", "KaSA truncates the base weight first"],
  ["arrowConfig", "Arrow routes between adapters token by token"],
  ["montecloraConfig", "MonteCLoRA draws weights at random"],
  ["layerReplication", "the adapter repeats layers of the base"],
];

/** Initialisations that also change the base weight; the adapter's file alone does not say how it was. */
const CHANGES_BASE = /^(pissa|olora|corda|lora_ga|loftq)/;

/** Why an adapter's factors alone do not say what it does to its base. */
export interface SpecialLora {
  readonly kind: "acts-otherwise" | "base-changed-by-init";
  readonly why: string;
}

/** What in a PEFT config, in camelCase, makes an adapter more than its factors; undefined for an ordinary one. */
export function specialLora(values: { readonly [field: string]: unknown }): SpecialLora | undefined {
  const found = ACTS_OTHERWISE.find(([field]) => values[field] !== null && values[field] !== undefined && values[field] !== false);
  if (found) return { kind: "acts-otherwise", why: found[1] };
  const init = values["initLoraWeights"];
  if (typeof init !== "string" || !CHANGES_BASE.test(init)) return undefined;
  return { kind: "base-changed-by-init", why: `init_lora_weights is "${init}", which changed the base weight before training` };
}
