import type { Tokenizer } from "@weft/tokenizers";
import type { ChatTemplate, ChatTemplateOptions } from "@weft/tokenizers/chat";

/**
 * What is trained on.
 * - `generation`: what stands in the template's `{% generation %}` blocks
 * - `prompt`: what an answer adds to the text of the messages before it
 * - `headers`: what stands between the header of an answer and the token that ends it
 * - `all`: every token
 * - `auto`: `generation` where the template has such blocks, else `prompt`; a text without prompt is trained on whole
 */
export type MaskMethod = "auto" | "generation" | "prompt" | "headers" | "all";

/** The texts that answers stand between. */
export interface AnswerHeaders {
  /** As `<|im_start|>assistant\n`. */
  readonly assistant: string;
  /** As `<|im_end|>`: the token that ends an answer, which is trained on. */
  readonly end: string;
}

/** How examples become tokens. */
export interface EncodeExampleOptions {
  readonly tokenizer: Pick<Tokenizer, "encode" | "tokenToId" | "idToToken">;
  /** For messages; a tokenizer's config has it. */
  readonly template?: ChatTemplate;
  /** What else the template takes. */
  readonly templateOptions?: Omit<ChatTemplateOptions, "addGenerationPrompt" | "continueFinalMessage" | "tools">;
  /** `auto` if not given. */
  readonly mask?: MaskMethod;
  /** For `headers`; found by the template if not given. */
  readonly headers?: AnswerHeaders;
  /** The token behind a text or a completion that no template writes, as `</s>`: the model learns to stop there. None if not given, of which the result warns. */
  readonly endToken?: string;
  /** The token in front of a text or a prompt that no template writes, as `<s>`. */
  readonly beginToken?: string;
  /** Most tokens of an example; there is no limit if not given. */
  readonly maxLength?: number;
  /**
   * What is cut off of a longer one: `left` or `right` of the whole; `answer` keeps the answers, as far as they fit: the front up to the first trained token goes
   * first, then the end. `answer` if not given.
   */
  readonly truncation?: "left" | "right" | "answer";
}
