import type { Format, NumberedCall, Piece, ToldToken } from "./format.js";

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

const callOf = ({ id, name }: NumberedCall, args: string): object => ({ id, type: "function", function: { name, arguments: args } });

/** Answers of `/v1/chat/completions`. */
export const CHAT: Format = {
  object: "chat.completion",
  chunkObject: "chat.completion.chunk",
  idPrefix: "chatcmpl-",
  choice: (index, choice) => ({
    index,
    message: {
      role: "assistant",
      content: choice.calls?.length && choice.text === "" ? null : choice.text,
      refusal: null,
      ...(choice.calls?.length && { tool_calls: choice.calls.map((call) => callOf(call, JSON.stringify(call.arguments))) }),
    },
    logprobs: logprobsOf(choice),
    finish_reason: choice.finishReason,
  }),
  head: (index) => chunk(index, { role: "assistant", content: "" }, null, null),
  delta: (index, piece) => chunk(index, { content: piece.text }, logprobsOf(piece), null),
  call: (index, call, at) => [
    chunk(index, { tool_calls: [{ index: at, ...callOf(call, "") }] }, null, null),
    chunk(index, { tool_calls: [{ index: at, function: { arguments: JSON.stringify(call.arguments) } }] }, null, null),
  ],
  end: (index, finishReason) => chunk(index, {}, null, finishReason),
};
