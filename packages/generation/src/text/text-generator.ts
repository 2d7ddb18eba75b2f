import type { Tokenizer } from "@weft/tokenizers";
import type { ChatMessage, ChatTemplate, ChatTemplateOptions } from "@weft/tokenizers/chat";
import { ConfigError } from "@weft/tensor-core";
import type { GenerativeModel } from "../engine/batch-decoder.js";
import { type EngineOptions, GenerationEngine } from "../engine/engine.js";
import { promptLookup } from "../engine/prompt-lookup.js";
import { Answer } from "./answer.js";
import { Generation, type GenerationResult, type TextChunk } from "./generation.js";
import type { GenerateOptions } from "./options.js";

/** What a generator needs beside its model. */
export interface TextGeneratorOptions extends EngineOptions {
  readonly tokenizer: Tokenizer;
  /** For `chat`. */
  readonly chatTemplate?: ChatTemplate | undefined;
  /** What generation does that is not told otherwise: of `generationDefaults`, with `eosTokenId` in it. Its `maxNewTokens` counts as far as there is room. */
  readonly defaults?: GenerateOptions | undefined;
}

/** How a chat is continued. */
export interface ChatOptions extends GenerateOptions, Omit<ChatTemplateOptions, "addGenerationPrompt"> {}

/**
 * Texts of a causal language model, any number of them at once: `generate` goes on with a prompt, `chat` answers messages.
 */
export class TextGenerator {
  readonly engine: GenerationEngine;
  readonly tokenizer: Tokenizer;
  readonly chatTemplate: ChatTemplate | undefined;
  readonly defaults: GenerateOptions;

  /** @param model of `@weft/models`, or a `PeftModel` of one @throws ConfigError as `GenerationEngine` */
  constructor(model: GenerativeModel, { tokenizer, chatTemplate, defaults = { temperature: 0 }, ...options }: TextGeneratorOptions) {
    this.engine = new GenerationEngine(model, options);
    this.tokenizer = tokenizer;
    this.chatTemplate = chatTemplate;
    this.defaults = defaults;
  }

  /**
   * Goes on with a text or tokens.
   * @throws (its `result`) ConfigError kinds `generation-option`, `context-length`, `no-such-adapter`, `no-token-left`; FormatError kind `non-finite`; CapabilityError kind
   * `busy`; CancelledError
   */
  generate(prompt: string | readonly number[], options: GenerateOptions = {}): Generation {
    const all = given(options);
    return new Generation(async (emit, signal) => {
      const tokens = typeof prompt === "string" ? this.encode(prompt, all.addSpecialTokens ?? true) : prompt;
      return this.run(tokens, all, emit, signal);
    }, options.signal);
  }

  /**
   * Answers messages: the chat template writes them, and the header of the answer behind them.
   * @throws (its `result`) as `generate`; ConfigError kinds `chat-template-missing`, `chat-messages`
   */
  chat(messages: readonly ChatMessage[], options: ChatOptions = {}): Generation {
    const { tools, documents, template, variables, now, continueFinalMessage = false, ...rest } = options;
    const all = given(rest);
    const chat = given({ tools, documents, template, variables, now, continueFinalMessage, addGenerationPrompt: !continueFinalMessage });
    return new Generation(async (emit, signal) => {
      return this.run(this.encode(this.chatText(messages, chat), false), all, emit, signal);
    }, options.signal);
  }

  /** The text of a chat, as the model gets it. @throws ConfigError kinds `chat-template-missing`, `chat-messages` */
  chatText(messages: readonly ChatMessage[], options: ChatTemplateOptions = {}): string {
    if (!this.chatTemplate)
      throw new ConfigError("the model has no chat template", {
        kind: "chat-template-missing",
        hint: "give one as `chatTemplate`, or write the prompt and call generate",
      });
    return this.chatTemplate.render(messages, options);
  }

  /** Ends all answers, and frees the cache. The model stays as it is. */
  dispose(): Promise<void> {
    return this.engine.dispose();
  }

  private encode(text: string, addSpecialTokens: boolean): readonly number[] {
    return [...this.tokenizer.encode(text, { addSpecialTokens, truncation: false, padding: false }).ids];
  }

  private async run(
    tokens: readonly number[],
    asked: GenerateOptions,
    emit: (chunk: TextChunk) => void,
    signal: AbortSignal,
  ): Promise<GenerationResult> {
    const options = { ...this.defaults, ...asked };
    const room = Math.max(1, this.engine.room(tokens.length));
    // Only who asks for more than there is room for is told so.
    const maxNewTokens = asked.maxNewTokens ?? Math.min(room, this.defaults.maxNewTokens ?? Infinity);
    const answer = new Answer(tokens, { ...options, maxNewTokens }, this.tokenizer, emit);
    const lookup = options.promptLookup;
    await this.engine.run({
      tokens,
      maxNewTokens,
      adapter: options.adapter,
      signal,
      choose: (logits) => answer.choose(logits),
      ...(lookup && { draft: promptLookup(lookup === true ? {} : lookup) }),
    });
    return answer.result();
  }
}

/** Options without those that are undefined, which would take the place of defaults. */
function given<T extends object>(options: T): { [name in keyof T]: Exclude<T[name], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}
