import type { TextChunk, TextGenerator, TokenLogprob } from "@weft/generation";
import type { ToldLogprob, ToldToken } from "./format.js";

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

/** What a client is told of a token's log-probability. End tokens are not part of an answer: none of them. */
export function toldLogprobs(
  { token, logprob, topLogprobs = [] }: TextChunk,
  { tokenizer, defaults }: TextGenerator,
): readonly ToldLogprob[] {
  const { eosTokenId = [] } = defaults;
  if ([eosTokenId].flat().includes(token)) return [];
  const told = (one: TokenLogprob): ToldToken => {
    const bytes = tokenizer.tokenBytes(one.token) ?? ENCODER.encode(tokenizer.idToToken(one.token) ?? "");
    return { text: DECODER.decode(bytes), bytes: [...bytes], logprob: one.logprob };
  };
  return [{ ...told({ token, logprob }), top: topLogprobs.map(told) }];
}
