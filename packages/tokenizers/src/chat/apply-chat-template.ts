import { ChatTemplate, type ChatTemplateOptions, type RenderedChat } from "./chat-template.js";
import type { ChatMessage } from "./messages.js";
import type { TokenizerConfigLike } from "./template-source.js";

/** A template, the config of a tokenizer that holds one, or the text of one. */
export type ChatTemplateInput = ChatTemplate | TokenizerConfigLike | string;

/**
 * The text of a chat, as transformers' `apply_chat_template(…, tokenize=False)` gives it; to be tokenised with `addSpecialTokens: false`, for the template
 * writes them. Of many chats read the template once, with `ChatTemplate`.
 * @param options with `returnSpans`, where the assistant speaks comes with the text
 * @throws FormatError kinds `chat-template` (with the template's line), `tokenizer-schema`, `limit`; ConfigError kinds `chat-template-missing`, `chat-messages`
 */
export function applyChatTemplate(
  input: ChatTemplateInput,
  messages: readonly ChatMessage[],
  options?: ChatTemplateOptions & { readonly returnSpans?: false },
): string;
export function applyChatTemplate(
  input: ChatTemplateInput,
  messages: readonly ChatMessage[],
  options: ChatTemplateOptions & { readonly returnSpans: true },
): RenderedChat;
export function applyChatTemplate(
  input: ChatTemplateInput,
  messages: readonly ChatMessage[],
  { returnSpans = false, ...options }: ChatTemplateOptions & { readonly returnSpans?: boolean } = {},
): string | RenderedChat {
  const template =
    typeof input === "string" ? ChatTemplate.fromText(input) : input instanceof ChatTemplate ? input : ChatTemplate.fromConfig(input);
  return returnSpans ? template.renderWithSpans(messages, options) : template.render(messages, options);
}
