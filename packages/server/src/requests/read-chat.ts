import type { TextGenerator } from "@weft/generation";
import type { ChatMessage } from "@weft/tokenizers/chat";
import type { Settings } from "../options.js";
import { boolean, Fields, HARMLESS, integer, isObject, object, objects, oneOf } from "./fields.js";
import { assertChoices, takeConstraint, takeShared, type TextRequest } from "./text-request.js";

/** The body of `/v1/chat/completions`. @throws ApiError 400 */
export function readChat(body: unknown, generator: TextGenerator, settings: Settings): TextRequest {
  const fields = new Fields(body);
  const shared = takeShared(fields);
  const messages = fields.require("messages", objects).map((message, i) => readMessage(message, i, fields));
  const tools = takeTools(fields);
  const logprobs = fields.take("logprobs", boolean) ?? false;
  const topLogprobs = fields.take("top_logprobs", integer(0, 20));
  if (topLogprobs !== undefined && !logprobs) throw fields.error("top_logprobs", "is told with log-probabilities: set logprobs");
  const request: TextRequest = {
    ...shared,
    prompts: [{ messages, tools }],
    logprobs: logprobs ? (topLogprobs ?? 0) : undefined,
    options: { ...shared.options, maxNewTokens: takeMaxTokens(fields), constraint: takeConstraint(fields, generator), topLogprobs },
  };
  // Fields of one supported value.
  fields.take("modalities", oneOf(["text"]));
  fields.take("store", oneOf(false));
  fields.end(HARMLESS);
  assertChoices(request, settings, fields);
  return request;
}

function takeMaxTokens(fields: Fields): number | undefined {
  const [old, now] = [fields.take("max_tokens", integer(1)), fields.take("max_completion_tokens", integer(1))];
  if (old !== undefined && now !== undefined && old !== now)
    throw fields.error("max_tokens", `is ${old}, but max_completion_tokens is ${now}`);
  return now ?? old;
}

/** Tools that the chat template writes; calls come back as the model writes them, in the text. */
function takeTools(fields: Fields): readonly object[] | undefined {
  const tools = fields.take("tools", objects);
  const choice = fields.take("tool_choice", {
    expected: `"auto" or "none"`,
    is: (v): v is unknown => typeof v === "string" || isObject(v),
  });
  if (choice !== undefined && choice !== "auto" && choice !== "none")
    throw fields.error(
      "tool_choice",
      `is ${JSON.stringify(choice)}, but calls of tools cannot be demanded here: they come as the model writes them, as text`,
    );
  fields.take("parallel_tool_calls", oneOf(true));
  return choice === "none" ? undefined : tools;
}

/** Texts in parts are put together; arguments of calls, which are JSON here, are what templates expect: objects. */
function readMessage(message: { readonly [field: string]: unknown }, i: number, fields: Fields): ChatMessage {
  const { role, content, tool_calls: calls } = message;
  const error = (what: string): Error => fields.error(`messages[${i}]`, what);
  if (typeof role !== "string") throw error("has no role");
  const isCalling = Array.isArray(calls) && calls.length > 0;
  if (!(typeof content === "string" || Array.isArray(content) || (content == null && isCalling))) throw error("has no content");
  const text = Array.isArray(content) ? content.map((part: unknown) => textOf(part, error)).join("") : content;
  return { ...message, role, content: text as string | null, ...(isCalling && { tool_calls: calls.map(withParsedArguments) }) };
}

function textOf(part: unknown, error: (what: string) => Error): string {
  if (isObject(part) && part["type"] === "text" && typeof part["text"] === "string") return part["text"];
  throw error(`has a part of type ${JSON.stringify(isObject(part) ? part["type"] : part)}, expected "text" with a text`);
}

function withParsedArguments(call: unknown): unknown {
  if (!isObject(call) || !isObject(call["function"]) || typeof call["function"]["arguments"] !== "string") return call;
  let parsed: unknown;
  try {
    parsed = JSON.parse(call["function"]["arguments"]);
  } catch {
    return call;
  }
  return object.is(parsed) ? { ...call, function: { ...call["function"], arguments: parsed } } : call;
}
