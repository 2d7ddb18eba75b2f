import { callSchema, type Constraint, jsonSchema, type TextGenerator } from "@weft/generation";
import { callFormatOf, type ChatMessage } from "@weft/tokenizers/chat";
import type { Settings } from "../options.js";
import { boolean, Fields, HARMLESS, integer, isObject, object, objects, oneOf } from "./fields.js";
import { takeTools } from "./read-tools.js";
import { assertChoices, type CallableTools, takeConstraint, takeShared, type TextRequest } from "./text-request.js";

/** The body of `/v1/chat/completions`. @throws ApiError 400 */
export function readChat(body: unknown, generator: TextGenerator, settings: Settings): TextRequest {
  const fields = new Fields(body);
  const shared = takeShared(fields);
  const messages = fields.require("messages", objects).map((message, i) => readMessage(message, i, fields));
  const tools = takeTools(fields);
  const logprobs = fields.take("logprobs", boolean) ?? false;
  const topLogprobs = fields.take("top_logprobs", integer(0, 20));
  if (topLogprobs !== undefined && !logprobs) throw fields.error("top_logprobs", "is told with log-probabilities: set logprobs");
  const constraint = takeConstraint(fields, generator);
  if (constraint && tools?.demanded) throw fields.error("tool_choice", "demands a call, and response_format an answer: one of the two");
  const request: TextRequest = {
    ...shared,
    prompts: [{ messages, tools }],
    logprobs: logprobs ? (topLogprobs ?? 0) : undefined,
    options: {
      ...shared.options,
      maxNewTokens: takeMaxTokens(fields),
      constraint: tools?.demanded ? callOf(tools.demanded, generator) : constraint,
      topLogprobs,
    },
  };
  // Fields of one supported value.
  fields.take("modalities", oneOf(["text"]));
  fields.take("store", oneOf(false));
  fields.end(HARMLESS);
  assertChoices(request, settings, fields);
  return request;
}

/** Tokens that can only become a call of one of these tools. */
const callOf = (tools: NonNullable<CallableTools["demanded"]>, { tokenizer, defaults, chatTemplate }: TextGenerator): Constraint =>
  jsonSchema(callSchema(tools, callFormatOf(chatTemplate).argumentsKey), tokenizer, { eosTokenId: defaults.eosTokenId });

function takeMaxTokens(fields: Fields): number | undefined {
  const [old, now] = [fields.take("max_tokens", integer(1)), fields.take("max_completion_tokens", integer(1))];
  if (old !== undefined && now !== undefined && old !== now)
    throw fields.error("max_tokens", `is ${old}, but max_completion_tokens is ${now}`);
  return now ?? old;
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
