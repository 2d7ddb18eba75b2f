import { callSchema, type GenerateOptions, type JsonSchema, jsonSchema, type TextGenerator, toolPrompt } from "@weft/generation";
import { type CallFormat, callFormatOf } from "@weft/tokenizers/chat";
import { type ChatModel, wantsCall } from "./chat-model.js";

/** How a model of `@weft/generation` takes part. */
export interface WeftChatOptions {
  /** The adapter of this role, of a generator with several on one base. */
  readonly adapter?: string;
  /** How the model writes calls; found in its chat template if not given. */
  readonly callFormat?: CallFormat;
  /** Whether tokens that could not become a valid call, or the JSON that is asked for, are excluded; true if not given. */
  readonly constrained?: boolean;
  /** Of sampling; the model's own defaults if not given. */
  readonly sampling?: Omit<GenerateOptions, "adapter" | "constraint" | "maxNewTokens" | "seed" | "signal">;
}

/**
 * A model of weft's. Calls are valid by construction: the text that begins a call is put before the answer, and the tokens behind it are those that the JSON
 * schemas of the tools allow.
 */
export function weftChat(
  generator: TextGenerator,
  { adapter, callFormat, constrained = true, sampling = {} }: WeftChatOptions = {},
): ChatModel {
  const format = callFormat ?? callFormatOf(generator.chatTemplate);
  const { tokenizer, defaults } = generator;
  const constraint = (schema: JsonSchema): GenerateOptions =>
    constrained ? { constraint: jsonSchema(schema, tokenizer, { eosTokenId: defaults.eosTokenId }) } : {};
  return {
    async chat(request, { signal } = {}) {
      const { messages, tools = [], schema, maxTokens, seed } = request;
      const calling = wantsCall(request);
      const [open, close] = calling && constrained ? [format.open, format.close] : ["", ""];
      const wanted = calling ? callSchema(tools, format.argumentsKey) : schema;
      const written = toolPrompt(generator, messages, tools) + open;
      const ids = [...tokenizer.encode(written, { addSpecialTokens: false, truncation: false, padding: false }).ids];
      const maxNewTokens = Math.min(maxTokens, Math.max(1, generator.engine.room(ids.length)));
      const options = { ...sampling, maxNewTokens, seed, adapter, signal, ...(wanted !== undefined && constraint(wanted)) };
      const { text, tokens, promptTokens } = await generator.generate(ids, options).result;
      const answer = open + text + close;
      const { calls, faults } = calling ? format.parse(answer) : { calls: [], faults: [] };
      return { text: answer, calls, faults, promptTokens, completionTokens: tokens.length };
    },
  };
}
