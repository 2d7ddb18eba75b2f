import { CapabilityError, FormatError } from "@weft/tensor-core";
import { type CallFormat, type ChatMessage, HERMES, type ParsedCalls, readCalls } from "@weft/tokenizers/chat";
import { callSchema } from "@weft/generation";
import { isObject } from "../is-object.js";
import { type ChatAnswer, type ChatModel, type ChatRequest, wantsCall } from "./chat-model.js";

/** A server with OpenAI's interface. */
export interface OpenAiChatOptions {
  /** Up to and with the version: `http://127.0.0.1:8000/v1`. */
  readonly baseUrl: string;
  /** The model, or on weft's server the adapter of this role. */
  readonly model: string;
  readonly apiKey?: string;
  /**
   * `native`: the server takes `tools` and gives `tool_calls`. `json`: it is asked for the JSON of a call by `response_format`, which weft's server and llama.cpp's
   * satisfy by constrained decoding. `text`: calls are read from the text as `callFormat` says. `native` if not given.
   */
  readonly calls?: "native" | "json" | "text";
  /** Hermes' if not given. */
  readonly callFormat?: CallFormat;
  readonly fetch?: typeof fetch;
}

/** A model behind OpenAI's interface: `/chat/completions`. */
export function openAiChat(options: OpenAiChatOptions): ChatModel {
  const { baseUrl, apiKey, fetch: fetcher = fetch } = options;
  const url = `${baseUrl.replace(/\/$/u, "")}/chat/completions`;
  return {
    async chat(request, { signal } = {}) {
      const response = await fetcher(url, {
        method: "POST",
        headers: { "content-type": "application/json", ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }) },
        body: JSON.stringify(bodyOf(request, options)),
        // A key must not follow to another host.
        redirect: "error",
        signal: signal ?? null,
      });
      const text = await response.text();
      if (!response.ok) throw new CapabilityError(`${url} answers ${response.status}: ${text.slice(0, 300)}`, { kind: "server-answer" });
      return answerOf(parsed(text, url), request, options, url);
    },
  };
}

function bodyOf(request: ChatRequest, { model, calls = "native", callFormat = HERMES }: OpenAiChatOptions): object {
  const { messages, tools = [], schema, maxTokens, seed } = request;
  const calling = wantsCall(request);
  const wanted = calling && calls === "json" ? callSchema(tools, callFormat.argumentsKey) : schema;
  return {
    model,
    messages: messages.map(withTextArguments),
    max_tokens: maxTokens,
    seed,
    ...(tools.length > 0 && { tools }),
    ...(tools.length > 0 && !calling && { tool_choice: "none" }),
    ...(calling && calls === "native" && { tool_choice: "required" }),
    ...(wanted !== undefined && { response_format: { type: "json_schema", json_schema: { name: "answer", schema: wanted } } }),
  };
}

/** OpenAI's interface has arguments as JSON in a text. */
function withTextArguments(message: ChatMessage): object {
  const { tool_calls: calls } = message as { readonly tool_calls?: readonly { readonly function: { readonly arguments: unknown } }[] };
  if (!calls) return message;
  return {
    ...message,
    tool_calls: calls.map((call) => ({ ...call, function: { ...call.function, arguments: JSON.stringify(call.function.arguments) } })),
  };
}

function parsed(text: string, url: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FormatError(`${url} answers no JSON: ${text.slice(0, 100)}`, { kind: "server-answer", cause });
  }
}

function answerOf(
  body: unknown,
  request: ChatRequest,
  { calls = "native", callFormat = HERMES }: OpenAiChatOptions,
  url: string,
): ChatAnswer {
  const choices = isObject(body) ? body["choices"] : undefined;
  const choice: unknown = Array.isArray(choices) ? choices[0] : undefined;
  const message = isObject(choice) ? choice["message"] : undefined;
  if (!isObject(body) || !isObject(message)) throw new FormatError(`${url} answers without a message`, { kind: "server-answer" });
  const content = typeof message["content"] === "string" ? message["content"] : "";
  const native = message["tool_calls"];
  let read: Pick<ParsedCalls, "calls" | "faults"> = { calls: [], faults: [] };
  if (Array.isArray(native) && native.length > 0) read = readCalls(JSON.stringify(native));
  else if (wantsCall(request)) read = calls === "json" ? readCalls(content) : callFormat.parse(content);
  const usage = isObject(body["usage"]) ? body["usage"] : {};
  const count = (name: string): number => (typeof usage[name] === "number" ? usage[name] : 0);
  return { text: content, ...read, promptTokens: count("prompt_tokens"), completionTokens: count("completion_tokens") };
}
