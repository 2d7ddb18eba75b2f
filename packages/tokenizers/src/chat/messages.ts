import { strip } from "./python.js";
import { messagesError } from "./template-error.js";

/** A part of a message's content: `{type: "text", text: "…"}`. */
export interface ContentPart {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** A message of a chat, with whatever else its template reads (`tool_calls`, `name`, `reasoning_content`, …). Fields that are null are as if not there. */
export interface ChatMessage {
  readonly role: string;
  readonly content?: string | readonly ContentPart[] | null;
  readonly [field: string]: unknown;
}

/** Names that reasoning goes under; the first is what templates read. */
const REASONING = ["reasoning_content", "thinking", "reasoning"];

type Fields = Record<string, unknown>;

/** As templates get them: without what is null, and with reasoning under its first two names. @throws ConfigError kind `chat-messages` */
export function readMessages(messages: readonly ChatMessage[]): Fields[] {
  if (!Array.isArray(messages) || messages.length === 0)
    throw messagesError(`expected a list of messages, got ${Array.isArray(messages) ? "an empty one" : typeof messages}`);
  return messages.map((message: unknown, i) => {
    if (typeof message !== "object" || message === null || Array.isArray(message))
      throw messagesError(`message ${i}: expected an object with role and content, got ${JSON.stringify(message)?.slice(0, 60)}`);
    const fields = Object.fromEntries(Object.entries(message).filter(([, value]) => value !== null && value !== undefined)) as Fields;
    const name = REASONING.find((one) => fields[one] !== undefined);
    return name === undefined ? fields : { thinking: fields[name], ...fields, reasoning_content: fields[name] };
  });
}

/** Written behind a message that is to be continued; what follows it in the text is cut off. */
const TAG = "CONTINUE_FINAL_MESSAGE_TAG ";

/**
 * Renders so that the last message stays open: the text ends where it does.
 * @param render makes the text of messages
 * @see transformers `render_jinja_template`
 */
export function renderOpen(messages: readonly Fields[], template: string, render: (messages: readonly Fields[]) => string): string {
  const last = messages.at(-1)!;
  if (!template.includes("content")) throw messagesError("continueFinalMessage: the template does not read `content`");
  const { content } = last;
  let final: string;
  let tagged: unknown;
  if (Array.isArray(content)) {
    const at = content.findLastIndex((part: unknown) => typeof (part as { text?: unknown } | null)?.text === "string");
    if (at < 0) throw messagesError("continueFinalMessage: the last message has no text to continue");
    final = (content[at] as { text: string }).text;
    tagged = content.map((part: object, i) => (i === at ? { ...part, text: final + TAG } : part));
  } else {
    if (typeof content !== "string") throw messagesError("continueFinalMessage: the last message has no content to continue");
    final = content;
    tagged = content + TAG;
  }
  const text = render([...messages.slice(0, -1), { ...last, content: tagged }]);
  const at = text.lastIndexOf(TAG.trim());
  if (at < 0 || !text.includes(strip(final, "both")))
    throw messagesError("continueFinalMessage: the template leaves out or changes the last message, so that it cannot be continued");
  const kept = text.slice(0, at);
  return text.startsWith(TAG, at) ? kept : strip(kept, "right");
}
