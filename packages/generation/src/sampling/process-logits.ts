import type { Bitset } from "../bitset.js";
import { allowedTokens } from "./allowed-tokens.js";
import { epsilonCutoff, etaCutoff } from "./eta-cutoff.js";
import { logitBias } from "./logit-bias.js";
import { minP } from "./min-p.js";
import { noRepeatNgram } from "./no-repeat-ngram.js";
import { biasesOf, eosTokens, type SamplingOptions } from "./options.js";
import { presenceAndFrequencyPenalty } from "./presence-and-frequency-penalty.js";
import { repetitionPenalty } from "./repetition-penalty.js";
import { suppressTokens } from "./suppress-tokens.js";
import { temperature } from "./temperature.js";
import { topK } from "./top-k.js";
import { topP } from "./top-p.js";
import { typicalP } from "./typical-p.js";

/** What a choice depends on beside the logits. */
export interface TokensSoFar {
  readonly prompt: readonly number[];
  /** Those behind the prompt. */
  readonly generated: readonly number[];
  /** Of a constraint: no other token is chosen. */
  readonly allowed?: Bitset | undefined;
}

/**
 * Everything that options do to a row before a token is drawn, in the order of transformers: processors of the logits as they are, then temperature, then what
 * cuts the distribution (which only sampling needs: temperature 0 leaves it out). Options are as `checkSamplingOptions` accepts them.
 * @param logits [vocab], changed in place: excluded tokens become −∞
 */
export function processLogits(logits: Float32Array, { prompt, generated, allowed }: TokensSoFar, options: SamplingOptions): void {
  if (options.logitBias !== undefined) logitBias(logits, biasesOf(options.logitBias));
  const { repetitionPenalty: repetition = 1, presencePenalty: presence = 0, frequencyPenalty: frequency = 0 } = options;
  if (repetition !== 1) repetitionPenalty(logits, [...prompt, ...generated], repetition);
  if (presence !== 0 || frequency !== 0) presenceAndFrequencyPenalty(logits, generated, { presence, frequency });
  if (options.noRepeatNgramSize) noRepeatNgram(logits, [...prompt, ...generated], options.noRepeatNgramSize);
  if (generated.length < (options.minNewTokens ?? 0)) suppressTokens(logits, eosTokens(options.eosTokenId));
  if (options.suppressTokens) suppressTokens(logits, options.suppressTokens);
  if (allowed) allowedTokens(logits, allowed);
  const { temperature: heat = 1 } = options;
  if (heat === 0) return;
  if (heat !== 1) temperature(logits, heat);
  if (options.topK) topK(logits, options.topK);
  if ((options.topP ?? 1) < 1) topP(logits, options.topP!);
  if (options.minP) minP(logits, options.minP);
  if ((options.typicalP ?? 1) < 1) typicalP(logits, options.typicalP!);
  if (options.epsilonCutoff) epsilonCutoff(logits, options.epsilonCutoff);
  if (options.etaCutoff) etaCutoff(logits, options.etaCutoff);
}
