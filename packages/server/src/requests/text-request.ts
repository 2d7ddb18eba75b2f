import {
  type Constraint,
  type FunctionTool,
  type GenerateOptions,
  jsonSchema,
  type JsonSchema,
  type TextGenerator,
} from "@weft/generation";
import type { ChatMessage } from "@weft/tokenizers/chat";
import type { Settings } from "../options.js";
import { boolean, Fields, integer, number, object, oneOf, string, texts } from "./fields.js";

/** What is continued: a text, tokens, or a chat. */
export type Prompt = string | readonly number[] | { readonly messages: readonly ChatMessage[]; readonly tools?: CallableTools | undefined };

/** Tools that an answer may call. */
export interface CallableTools {
  /** All of them, for the chat template. */
  readonly tools: readonly FunctionTool[];
  /** Of which one must be called; undefined if none must. */
  readonly demanded?: readonly FunctionTool[] | undefined;
}

/** A request for texts. */
export interface TextRequest {
  readonly model: string;
  readonly prompts: readonly Prompt[];
  /** Answers to each. */
  readonly n: number;
  readonly options: GenerateOptions;
  /** So many likeliest tokens are told with each; undefined if log-probabilities are not asked for. */
  readonly logprobs: number | undefined;
  readonly stream: boolean;
  /** Whether the stream ends with how many tokens there were. */
  readonly includeUsage: boolean;
}

/** The fields that chats and completions share. @throws ApiError 400 */
export function takeShared(fields: Fields): Pick<TextRequest, "model" | "n" | "stream" | "includeUsage" | "options"> {
  const stream = fields.take("stream", boolean) ?? false;
  const streamOptions = fields.take("stream_options", object);
  if (streamOptions && !stream) throw fields.error("stream_options", "is for streams: set stream");
  const streaming = new Fields(streamOptions ?? {}, "stream_options.");
  const includeUsage = streaming.take("include_usage", boolean) ?? false;
  streaming.end(["include_obfuscation"]);
  return {
    model: fields.require("model", string),
    n: fields.take("n", integer(1)) ?? 1,
    stream,
    includeUsage,
    options: {
      temperature: fields.take("temperature", number(0, 2)),
      topP: fields.take("top_p", number(Number.MIN_VALUE, 1)),
      presencePenalty: fields.take("presence_penalty", number(-2, 2)),
      frequencyPenalty: fields.take("frequency_penalty", number(-2, 2)),
      seed: fields.take("seed", integer(0)),
      stop: fields.take("stop", texts),
      logitBias: takeLogitBias(fields),
    },
  };
}

function takeLogitBias(fields: Fields): ReadonlyMap<number, number> | undefined {
  const given = fields.take("logit_bias", object);
  if (!given) return undefined;
  return new Map(
    Object.entries(given).map(([id, bias]) => {
      if (!/^\d{1,10}$/.test(id) || !number(-100, 100).is(bias))
        throw fields.error(
          "logit_bias",
          `has ${JSON.stringify(id)}: ${JSON.stringify(bias)}, expected a token's number and a bias from -100 to 100`,
        );
      return [Number(id), bias];
    }),
  );
}

/** What an answer has to be, by `response_format`. @throws ApiError 400; ConfigError kind `constraint-schema` */
export function takeConstraint(fields: Fields, { tokenizer, defaults: { eosTokenId } }: TextGenerator): Constraint | undefined {
  const given = fields.take("response_format", object);
  if (!given) return undefined;
  const format = new Fields(given, "response_format.");
  const type = format.require("type", oneOf("text", "json_object", "json_schema"));
  let schema: JsonSchema = { type: "object" };
  if (type === "json_schema") {
    const named = new Fields(format.require("json_schema", object), "response_format.json_schema.");
    schema = named.require("schema", object) as JsonSchema;
    // Every answer is as the schema says, asked for strictly or not.
    named.end(["name", "description", "strict"]);
  }
  format.end();
  return type === "text" ? undefined : jsonSchema(schema, tokenizer, { eosTokenId });
}

/** @throws ApiError 400 */
export function assertChoices({ prompts, n }: TextRequest, { maxChoices }: Settings, fields: Fields): void {
  if (prompts.length * n > maxChoices)
    throw fields.error("n", `asks for ${prompts.length * n} answers, at most ${maxChoices} are given to one request`);
}
