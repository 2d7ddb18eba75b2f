import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import { type Generation, type GenerationResult, type TextChunk, type TextGenerator, toolPrompt } from "@weft/generation";
import { callFormatOf } from "@weft/tokenizers/chat";
import { apiErrorOf } from "../http/api-error.js";
import { EventStream, respond } from "../http/respond.js";
import type { Prompt, TextRequest } from "../requests/text-request.js";
import { CallsInAnswer } from "./calls-in-answer.js";
import type { Format, Piece } from "./format.js";
import { toldLogprobs } from "./told-logprobs.js";

/** What answering needs besides the request. */
export interface Answering {
  readonly generator: TextGenerator;
  /** As the engine takes it. */
  readonly adapter: string | undefined;
  readonly format: Format;
  readonly response: ServerResponse;
  readonly stallTimeout: number;
  /** Ends all answers of the request, once the client has gone or one of them fails. */
  readonly controller: AbortController;
  readonly onError: (error: unknown) => void;
}

/** Answers a request for texts, whole or as a stream. @throws what generation throws, before anything is sent */
export async function answer(request: TextRequest, answering: Answering): Promise<void> {
  const { format, controller } = answering;
  const generations = startAll(request, answering);
  // One that fails ends all of them.
  for (const { result } of generations) result.catch(() => controller.abort());
  const about = { id: `${format.idPrefix}${randomUUID()}`, created: Math.floor(Date.now() / 1000), model: request.model };
  if (request.stream) return stream(request, answering, generations, about);
  const choices = await Promise.all(generations.map((generation, i) => whole(i, generation, request, answering)));
  const usage = usageOf(await Promise.all(generations.map(({ result }) => result)), request.n);
  const { response, stallTimeout } = answering;
  respond(response, { ...about, object: format.object, choices, usage }, { stallTimeout });
}

function startAll({ prompts, n, options }: TextRequest, { generator, adapter, controller }: Answering): readonly Generation[] {
  // Answers to one prompt are several of one seed.
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 32);
  return prompts.flatMap((prompt) =>
    Array.from({ length: n }, (_, sequence) =>
      start(prompt, { ...options, seed, sequence, adapter, signal: controller.signal }, generator),
    ),
  );
}

function start(prompt: Prompt, options: TextRequest["options"], generator: TextGenerator): Generation {
  if (typeof prompt === "string" || !("messages" in prompt)) return generator.generate(prompt, options);
  if (!prompt.tools) return generator.chat(prompt.messages, options);
  const { tools, demanded } = prompt.tools;
  // A call that is demanded is begun here: what the model adds is its inside.
  const text = toolPrompt(generator, prompt.messages, tools) + (demanded ? callFormatOf(generator.chatTemplate).open : "");
  return generator.generate(text, { ...options, addSpecialTokens: false });
}

/** Where calls are looked for in an answer to a prompt; undefined if no tool may be called. */
function callsIn(index: number, { prompts, n }: TextRequest, { generator }: Answering): CallsInAnswer | undefined {
  const prompt = prompts[Math.floor(index / n)]!;
  if (typeof prompt === "string" || !("messages" in prompt) || !prompt.tools) return undefined;
  return new CallsInAnswer(callFormatOf(generator.chatTemplate), prompt.tools.demanded !== undefined);
}

/** OpenAI's reason of an answer that ends with calls. */
const CALLS = "tool_calls";

const pieceOf = (chunk: TextChunk, { logprobs }: TextRequest, { generator }: Answering): Piece => ({
  text: chunk.text,
  ...(logprobs !== undefined && { logprobs: toldLogprobs(chunk, generator) }),
});

async function whole(index: number, generation: Generation, request: TextRequest, answering: Answering): Promise<object> {
  const pieces: Piece[] = [];
  for await (const chunk of generation) pieces.push(pieceOf(chunk, request, answering));
  const { text, finishReason } = await generation.result;
  const logprobs = pieces.flatMap((piece) => piece.logprobs ?? []);
  const told = request.logprobs === undefined ? {} : { logprobs };
  const found = callsIn(index, request, answering);
  const before = found ? pieces.map((piece) => found.push(piece).text).join("") : text;
  const { calls, text: rest } = found?.end(finishReason === "stop") ?? { calls: [], text: "" };
  const isCalling = calls.length > 0;
  return answering.format.choice(index, {
    text: isCalling ? before.trim() : before + rest,
    calls,
    finishReason: isCalling ? CALLS : finishReason,
    ...told,
  });
}

async function stream(
  request: TextRequest,
  answering: Answering,
  generations: readonly Generation[],
  about: { readonly id: string; readonly created: number; readonly model: string },
): Promise<void> {
  const { format, response, stallTimeout, controller, onError } = answering;
  const iterators = generations.map((generation) => generation[Symbol.asyncIterator]());
  // Until there are tokens of all, what cannot be answered has a status of its own.
  const first = await Promise.all(iterators.map((one) => one.next()));
  const events = new EventStream(response, stallTimeout);
  const send = (choices: readonly object[], usage: object | null): Promise<void> =>
    events.send({ ...about, object: format.chunkObject, choices, ...(request.includeUsage && { usage }) });
  const run = async (index: number): Promise<GenerationResult> => {
    const head = format.head(index);
    if (head) await send([head], null);
    const found = callsIn(index, request, answering);
    let offset = 0;
    for (let next = first[index]!; !next.done; next = await iterators[index]!.next()) {
      const written = pieceOf(next.value, request, answering);
      const piece = found?.push(written) ?? written;
      if (piece.text === "" && !piece.logprobs?.length) continue;
      await send([format.delta(index, piece, offset)], null);
      offset += piece.text.length;
    }
    const result = await generations[index]!.result;
    const { calls, text } = found?.end(result.finishReason === "stop") ?? { calls: [], text: "" };
    if (text !== "") await send([format.delta(index, { text }, offset)], null);
    for (const [at, call] of calls.entries()) for (const delta of format.call(index, call, at)) await send([delta], null);
    await send([format.end(index, calls.length > 0 ? CALLS : result.finishReason)], null);
    return result;
  };
  try {
    const results = await Promise.all(generations.map((_, i) => run(i)));
    if (request.includeUsage) await send([], usageOf(results, request.n));
    events.end();
  } catch (error) {
    controller.abort();
    onError(error);
    events.fail(apiErrorOf(error));
  }
}

/** A prompt counts once, whatever the number of its answers. */
function usageOf(results: readonly GenerationResult[], n: number): object {
  const prompt = results.filter((_, i) => i % n === 0).reduce((sum, { promptTokens }) => sum + promptTokens, 0);
  const completion = results.reduce((sum, { tokens }) => sum + tokens.length, 0);
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}
