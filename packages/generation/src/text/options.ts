import type { PromptLookupOptions } from "../engine/prompt-lookup.js";
import type { SamplingOptions } from "../sampling/options.js";
import type { Constraint } from "../constraints/constraint.js";
import type { StoppingOptions } from "../stopping/text-stream.js";

/** How a text is generated. What is not given is as the model's `generation_config.json` says, and without one the likeliest tokens are taken. */
export interface GenerateOptions extends SamplingOptions, StoppingOptions {
  /** Of random choices; a new one each time if not given. The same seed gives the same text, whatever runs beside it and on every backend (up to the rounding of logits). */
  readonly seed?: number | undefined;
  /** Which of several answers to one prompt with one seed this is; 0 if not given. */
  readonly sequence?: number | undefined;
  /** What the answer must be: `jsonSchema(…)`, `regex(…)`. */
  readonly constraint?: Constraint | undefined;
  /** The adapter of this answer, `"__base__"` for none, of a generator that mixes adapters. */
  readonly adapter?: string | undefined;
  /** Guesses from the text so far, run together with each token: faster where the answer repeats the prompt, and the same answer. True takes transformers' numbers. */
  readonly promptLookup?: boolean | PromptLookupOptions | undefined;
  /** Around a prompt that is a text, what the tokenizer puts there; true if not given. */
  readonly addSpecialTokens?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Fields of `generation_config.json` that are options of sampling, by their names there. */
const SAMPLING: { readonly [field: string]: keyof SamplingOptions } = {
  temperature: "temperature",
  top_k: "topK",
  top_p: "topP",
  min_p: "minP",
  typical_p: "typicalP",
  epsilon_cutoff: "epsilonCutoff",
  eta_cutoff: "etaCutoff",
};
/** Those that also hold where nothing is drawn. */
const ALWAYS: { readonly [field: string]: keyof SamplingOptions } = {
  repetition_penalty: "repetitionPenalty",
  no_repeat_ngram_size: "noRepeatNgramSize",
  suppress_tokens: "suppressTokens",
  min_new_tokens: "minNewTokens",
  eos_token_id: "eosTokenId",
};

/**
 * Options as a `generation_config.json` gives them, or a `config.json` of before there was one: without `do_sample` the likeliest tokens are taken, as transformers does.
 * Fields that are null, and those that generation here does not have (beams), count as not there.
 */
export function generationDefaults(config: { readonly [field: string]: unknown }): GenerateOptions {
  const fields = config["do_sample"] === true ? { ...SAMPLING, ...ALWAYS } : ALWAYS;
  const given = Object.entries(fields).filter(([field]) => config[field] !== undefined && config[field] !== null);
  const options = Object.fromEntries(given.map(([field, name]) => [name, config[field]]));
  return config["do_sample"] === true ? options : { temperature: 0, ...options };
}
