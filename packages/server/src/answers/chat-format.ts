import type { Format, Piece, ToldToken } from "./format.js";

const tokenOf = ({ text, bytes, logprob }: ToldToken): object => ({ token: text, logprob, bytes });

const logprobsOf = ({ logprobs }: Piece): object | null =>
  logprobs === undefined
    ? null
    : { content: logprobs.map((one) => ({ ...tokenOf(one), top_logprobs: one.top.map(tokenOf) })), refusal: null };

const chunk = (index: number, delta: object, logprobs: object | null, finishReason: string | null): object => ({
  index,
  delta,
  logprobs,
  finish_reason: finishReason,
});

/** Answers of `/v1/chat/completions`. */
export const CHAT: Format = {
  object: "chat.completion",
  chunkObject: "chat.completion.chunk",
  idPrefix: "chatcmpl-",
  choice: (index, choice) => ({
    index,
    message: { role: "assistant", content: choice.text, refusal: null },
    logprobs: logprobsOf(choice),
    finish_reason: choice.finishReason,
  }),
  head: (index) => chunk(index, { role: "assistant", content: "" }, null, null),
  delta: (index, piece) => chunk(index, { content: piece.text }, logprobsOf(piece), null),
  end: (index, finishReason) => chunk(index, {}, null, finishReason),
};
