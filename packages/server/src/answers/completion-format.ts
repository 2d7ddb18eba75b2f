import type { Format, Piece } from "./format.js";

function logprobsOf({ logprobs }: Piece, offset: number): object | null {
  if (logprobs === undefined) return null;
  let at = offset;
  const offsets = logprobs.map(({ text }) => (at += text.length) - text.length);
  return {
    tokens: logprobs.map(({ text }) => text),
    token_logprobs: logprobs.map(({ logprob }) => logprob),
    top_logprobs: logprobs.map(({ top }) => Object.fromEntries(top.map(({ text, logprob }) => [text, logprob]))),
    text_offset: offsets,
  };
}

const choice = (index: number, text: string, logprobs: object | null, finishReason: string | null): object => ({
  index,
  text,
  logprobs,
  finish_reason: finishReason,
});

/** Answers of `/v1/completions`. */
export const COMPLETION: Format = {
  object: "text_completion",
  chunkObject: "text_completion",
  idPrefix: "cmpl-",
  choice: (index, whole) => choice(index, whole.text, logprobsOf(whole, 0), whole.finishReason),
  head: () => undefined,
  delta: (index, piece, offset) => choice(index, piece.text, logprobsOf(piece, offset), null),
  call: () => [],
  end: (index, finishReason) => choice(index, "", null, finishReason),
};
