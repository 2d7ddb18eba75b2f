import { BERT_FAMILY } from "./families/bert.js";
import { GEMMA } from "./families/gemma.js";
import { GPT2_FAMILY } from "./families/gpt2.js";
import { LLAMA_FAMILY } from "./families/llama.js";
import { PHI } from "./families/phi.js";
import { QWEN } from "./families/qwen.js";
import { RECURRENT } from "./families/recurrent.js";
import { SMOLLM } from "./families/smollm.js";
import type { KnownModel } from "./known-model.js";

/** The models that are known by name. Others of the same architectures run as well: what counts is `config.json`. */
export const KNOWN_MODELS: readonly KnownModel[] = [
  ...SMOLLM,
  ...QWEN,
  ...LLAMA_FAMILY,
  ...GEMMA,
  ...PHI,
  ...GPT2_FAMILY,
  ...RECURRENT,
  ...BERT_FAMILY,
];

/**
 * The known model that a name means: its repository, with or without its user and `hf:`, whatever the case.
 * @returns undefined if there is none, or if several have the name
 */
export function knownModel(name: string): KnownModel | undefined {
  const wanted = name.replace(/^hf:/, "").toLowerCase();
  const found = KNOWN_MODELS.filter(({ repo }) => repo.toLowerCase() === wanted || repo.split("/")[1]!.toLowerCase() === wanted);
  return found.length === 1 ? found[0] : undefined;
}
