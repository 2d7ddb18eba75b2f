export { applyChatTemplate, type ChatTemplateInput } from "./apply-chat-template.js";
export { ChatTemplate, type ChatTemplateOptions, type RenderedChat } from "./chat-template.js";
export type { Span } from "./generation-spans.js";
export type { ChatMessage, ContentPart } from "./messages.js";
export type { TokenizerConfigLike } from "./template-source.js";
