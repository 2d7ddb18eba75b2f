import type { ChatMessage, ChatTemplate, ChatTemplateOptions, Span } from "@weft/tokenizers/chat";
import { optionError } from "../data-error.js";
import type { EncodeWarning, Turn } from "./encoded.js";

/** A text, and what is trained on in it. */
export interface MaskedText {
  readonly text: string;
  readonly spans: readonly Span[];
  readonly turns: readonly Turn[];
  readonly warnings: readonly EncodeWarning[];
}

const commonLength = (a: string, b: string): number => {
  const end = Math.min(a.length, b.length);
  let i = 0;
  while (i < end && a[i] === b[i]) i++;
  return i;
};

/** Characters that tags of templates begin with, and no message's end ends with. */
const OPENING = new Set("<[|#{");

/** What a template writes of a chat's beginnings. */
export class ChatText {
  readonly #template: ChatTemplate;
  readonly #messages: readonly ChatMessage[];
  readonly #options: ChatTemplateOptions;
  readonly whole: string;

  constructor(template: ChatTemplate, messages: readonly ChatMessage[], options: ChatTemplateOptions) {
    this.#template = template;
    this.#messages = messages;
    this.#options = options;
    this.whole = template.render(messages, options);
  }

  /** The text of the first `count` messages, with the header of an answer behind it if asked for; undefined where a template does not take so few. */
  #beginning(count: number, addGenerationPrompt: boolean): string | undefined {
    if (count === 0 && !addGenerationPrompt) return "";
    if (count === 0) return undefined;
    if (count === this.#messages.length && !addGenerationPrompt) return this.whole;
    try {
      return this.#template.render(this.#messages.slice(0, count), { ...this.#options, addGenerationPrompt });
    } catch (error) {
      if ((error as { kind?: string }).kind === "chat-messages" || (error as { kind?: string }).kind === "chat-template") return undefined;
      throw error;
    }
  }

  /**
   * Where message `i` ends in the whole: behind what the chat up to it has in common with the whole, if the message is in that. A template may write something behind
   * the last message that it leaves out when more follows, or write a message otherwise; of the latter the end is undefined.
   */
  #endOf(i: number, from: number): number | undefined {
    const text = this.#beginning(i + 1, false);
    if (text === undefined) return undefined;
    let end = commonLength(text, this.whole);
    // Where they part, both may have begun a tag: `</s>` and `<|user|>`.
    if (end < text.length) while (end > from && OPENING.has(text[end - 1]!)) end--;
    const { content } = this.#messages[i]!;
    const there = text.length === end || typeof content !== "string" || this.whole.slice(from, end).includes(content.trim());
    return there && end > from ? end : undefined;
  }

  /** Where each message stands, as far as that can be told. */
  turns(): (Turn & { readonly message: number })[] {
    const turns: (Turn & { readonly message: number })[] = [];
    let from = 0;
    for (const [message, { role }] of this.#messages.entries()) {
      const to = this.#endOf(message, from);
      if (to === undefined) continue;
      turns.push({ role, from, to, message });
      from = to;
    }
    return turns;
  }

  /** What the assistant's messages add behind their header. @param first the first message that is trained on */
  answers(first = 0): { spans: Span[]; warnings: EncodeWarning[] } {
    const spans: Span[] = [];
    const warnings: EncodeWarning[] = [];
    for (const [i, { role }] of this.#messages.entries()) {
      if (i < first || role !== "assistant") continue;
      const before = this.#beginning(i, true) ?? this.#beginning(i, false) ?? "";
      const from = commonLength(before, this.whole);
      const to = this.#endOf(i, from);
      if (to === undefined || (from < before.length && i < this.#messages.length - 1)) {
        const message = `message ${i}: the template writes it otherwise when more follows, so that it is not trained on`;
        warnings.push({ kind: "turn-rewritten", message });
        continue;
      }
      spans.push([from, to]);
      if (from < before.length) {
        const message = `message ${i}: the text of what stands before it, with the header of an answer, is not the beginning of the whole; trained on is what follows character ${from}, where they part`;
        warnings.push({ kind: "prompt-not-prefix", message });
      }
    }
    return { spans, warnings };
  }
}

/** Header and end of answers, as a template writes them. */
export function headersOf(template: ChatTemplate, options: ChatTemplateOptions): { assistant: string; end: string } {
  const user: ChatMessage[] = [{ role: "user", content: "question" }];
  const [without, prompt] = [template.render(user, options), template.render(user, { ...options, addGenerationPrompt: true })];
  const whole = template.render([...user, { role: "assistant", content: "answer" }], options);
  const at = whole.lastIndexOf("answer");
  const assistant = prompt.slice(commonLength(without, prompt));
  const end = whole.slice(at + "answer".length).trimEnd();
  if (assistant === "" || at < 0 || end === "")
    throw optionError(
      "the template does not say what answers stand between",
      'pass headers: {assistant: "<|im_start|>assistant\\n", end: "<|im_end|>"}',
    );
  return { assistant, end };
}
