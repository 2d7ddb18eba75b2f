import { ConfigError, FormatError } from "@weft/tensor-core";
import { draw, type DrawPlace } from "./draw.js";
import { largest } from "./largest.js";
import { biasesOf, checkSamplingOptions, type SamplingOptions } from "./options.js";
import { processLogits, type TokensSoFar } from "./process-logits.js";
import { candidates, logSumExp } from "./softmax.js";

/** A token with its log-probability. */
export interface TokenLogprob {
  readonly token: number;
  /** Natural logarithm. Of what the model gave, before options changed it, as vLLM and OpenAI's API have it. */
  readonly logprob: number;
}

/** The token that was chosen. */
export interface Sampled extends TokenLogprob {
  /** The likeliest, the likeliest first: as many as were asked for. */
  readonly topLogprobs?: readonly TokenLogprob[];
}

/**
 * Chooses the next token. With temperature 0 it is the likeliest, of equally likely ones that with the lowest id; else it is drawn with the number of its place.
 * @param logits [vocab] of the last position; changed in place to what the token is drawn from
 * @throws ConfigError kinds `generation-option` (of the place), `no-token-left`; FormatError kind `non-finite`
 */
export type Sampler = (logits: Float32Array, tokens: TokensSoFar, place: DrawPlace) => Sampled;

/**
 * A function that chooses tokens by these options, which are checked once for all tokens.
 * @throws ConfigError kind `generation-option`
 */
export function sampler(options: SamplingOptions): Sampler {
  checkSamplingOptions(options);
  const { logitBias, ...others } = options;
  const settings = { ...others, ...(logitBias !== undefined && { logitBias: biasesOf(logitBias) }) };
  return (logits, tokens, place) => sample(logits, tokens, settings, place);
}

function sample(logits: Float32Array, tokens: TokensSoFar, options: SamplingOptions, place: DrawPlace): Sampled {
  const sum = logSumExp(logits);
  if (Number.isNaN(sum))
    throw new FormatError(`logits of position ${place.position} hold NaN or infinity`, {
      kind: "non-finite",
      hint: "the model or an adapter holds such values, or overflows in the dtype that it runs in",
    });
  const raw = logits.slice();
  const logprobOf = (token: number): TokenLogprob => ({ token, logprob: raw[token]! - sum });
  processLogits(logits, tokens, options);
  const token = options.temperature === 0 ? largest(logits, 1)[0] : drawFrom(logits, draw(place));
  if (token === undefined || logits[token] === -Infinity)
    throw new ConfigError(`options and constraint leave no token at position ${place.position}`, {
      kind: "no-token-left",
      hint: "suppressTokens, logitBias and minNewTokens may exclude all that a constraint allows",
    });
  if (!options.topLogprobs) return logprobOf(token);
  return { ...logprobOf(token), topLogprobs: Array.from(largest(raw, options.topLogprobs), logprobOf) };
}

/** The token at which probabilities, added by ascending ids, pass a number in [0, 1). */
function drawFrom(logits: Float32Array, uniform: number): number | undefined {
  const { tokens, probabilities } = candidates(logits);
  let left = uniform;
  for (let n = 0; n < tokens.length; n++) if ((left -= probabilities[n]!) < 0) return tokens[n];
  // Rounding may leave a little.
  return tokens.at(-1);
}
