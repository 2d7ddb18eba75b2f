import { ConfigError } from "@weft/tensor-core";
import type { GgufMetadataLike } from "../gguf/metadata.js";
import { type Compiled, compileTemplate } from "./compile.js";
import { type Span, takeMarks, unusedMarks } from "./generation-spans.js";
import { runTemplate } from "./interpreter.js";
import { type ChatMessage, readMessages, renderOpen } from "./messages.js";
import { messagesError, templateError } from "./template-error.js";
import { DEFAULT, sourceOfConfig, sourceOfGguf, type TemplateSource, type TokenizerConfigLike } from "./template-source.js";

/** How a chat is written. */
export interface ChatTemplateOptions {
  /** The header of an answer follows the messages; false if not given. */
  readonly addGenerationPrompt?: boolean;
  /** The text ends within the last message, which the model then goes on with; false if not given. */
  readonly continueFinalMessage?: boolean;
  /** Functions that the model may call, as JSON schemas: `{type: "function", function: {name, description, parameters}}`. */
  readonly tools?: readonly object[];
  /** Documents to answer from: `{title, text}`. */
  readonly documents?: readonly object[];
  /** The name of the template, of a model with several; `tool_use` where there are tools, else `default`, if not given. */
  readonly template?: string;
  /** What else the template reads: `{enable_thinking: false}`; replaces special tokens of the same name. */
  readonly variables?: Readonly<Record<string, unknown>>;
  /** What `strftime_now` of the template says; now if not given. Give it where texts must be the same every day. */
  readonly now?: Date;
}

/** A chat as text. */
export interface RenderedChat {
  readonly text: string;
  /** What stands in the template's `{% generation %}` blocks, which is what the assistant says: from, to, in UTF-16 units of `text`. */
  readonly generationSpans: readonly Span[];
}

/** The chat templates of a model, read once and used for many chats. */
export class ChatTemplate {
  readonly #source: TemplateSource;
  readonly #file: string | undefined;
  readonly #compiled = new Map<string, Compiled>();

  private constructor(source: TemplateSource, file: string | undefined) {
    this.#source = source;
    this.#file = file;
  }

  /** @param template in jinja @param specialTokens what it writes: `{bos_token: "<s>"}` */
  static fromText(template: string, specialTokens: Readonly<Record<string, string>> = {}, file?: string): ChatTemplate {
    return new ChatTemplate({ templates: new Map([[DEFAULT, template]]), specialTokens }, file);
  }

  /**
   * Of a `tokenizer_config.json`, parsed.
   * @throws FormatError kind `tokenizer-schema`
   */
  static fromConfig(config: TokenizerConfigLike, file?: string): ChatTemplate {
    return new ChatTemplate(sourceOfConfig(config, file), file);
  }

  /**
   * Of the metadata of a GGUF file: `tokenizer.chat_template`, with the tokens that it writes.
   * @throws FormatError kind `tokenizer-metadata`
   */
  static fromGguf(metadata: GgufMetadataLike, file?: string): ChatTemplate {
    return new ChatTemplate(sourceOfGguf(metadata, file), file);
  }

  /** Names of the templates that there are; none of a model that is not made for chats. */
  get names(): string[] {
    return [...this.#source.templates.keys()];
  }

  /** Whether the template has `{% generation %}` blocks, which say what the assistant says. */
  marksGeneration(options: Pick<ChatTemplateOptions, "template" | "tools"> = {}): boolean {
    return this.#named(options).compiled.marksGeneration;
  }

  /**
   * The text of a chat, byte for byte that of transformers' `apply_chat_template(…, tokenize=False)`.
   * @throws FormatError kinds `chat-template` (with the template's line), `limit`; ConfigError kinds `chat-template-missing`, `chat-messages`
   */
  render(messages: readonly ChatMessage[], options: ChatTemplateOptions = {}): string {
    const { compiled, text } = this.#named(options);
    const read = readMessages(messages);
    const run = (some: readonly object[]): string => runTemplate(compiled, this.#variables(some, options), { now: options.now });
    if (!options.continueFinalMessage) return run(read);
    if (options.addGenerationPrompt)
      throw messagesError("continueFinalMessage goes on with the last message, addGenerationPrompt begins a new one: not both");
    return renderOpen(read, text, run);
  }

  /**
   * The same, with where the `{% generation %}` blocks of the template stand in it; none if the template has none.
   * @throws as `render`
   */
  renderWithSpans(messages: readonly ChatMessage[], options: ChatTemplateOptions = {}): RenderedChat {
    if (options.continueFinalMessage) throw messagesError("continueFinalMessage cuts the text, so that it has no spans");
    const plain = this.render(messages, options);
    const { compiled } = this.#named(options);
    if (!compiled.marksGeneration) return { text: plain, generationSpans: [] };
    const variables = this.#variables(readMessages(messages), options);
    const marks = unusedMarks(plain, variables);
    const { text, spans } = takeMarks(runTemplate(compiled, variables, { now: options.now, marks }), marks);
    if (text !== plain)
      throw templateError(
        compiled.origin,
        undefined,
        "changes what its {% generation %} blocks have written, so that they have no place in the text",
      );
    return { text, generationSpans: spans };
  }

  #variables(
    messages: readonly object[],
    { tools, documents, addGenerationPrompt = false, variables }: ChatTemplateOptions,
  ): Record<string, unknown> {
    return {
      ...this.#source.specialTokens,
      ...variables,
      messages,
      tools: tools ?? null,
      documents: documents ?? null,
      add_generation_prompt: addGenerationPrompt,
    };
  }

  #named({ template, tools }: Pick<ChatTemplateOptions, "template" | "tools">): { compiled: Compiled; text: string } {
    const { templates } = this.#source;
    const name = template ?? (tools && templates.has("tool_use") ? "tool_use" : DEFAULT);
    const text = templates.get(name);
    if (text === undefined) {
      const there =
        templates.size === 0 ? "there is none: the model is not made for chats" : `there are ${[...templates.keys()].join(", ")}`;
      throw new ConfigError(`${this.#file === undefined ? "" : `${this.#file}: `}no chat template ${JSON.stringify(name)}; ${there}`, {
        kind: "chat-template-missing",
        ...(this.#file !== undefined && { file: this.#file }),
        hint: "give one with ChatTemplate.fromText, or train on prompts and completions, which need none",
      });
    }
    const compiled = this.#compiled.get(name) ?? compileTemplate(text, { file: this.#file, name: templates.size > 1 ? name : undefined });
    this.#compiled.set(name, compiled);
    return { compiled, text };
  }
}
