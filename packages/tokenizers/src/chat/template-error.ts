import { ConfigError } from "@weft/tensor-core";
import { tokenizerError } from "../tokenizer-error.js";

/** Where a template came from, for messages: `chat_template.jinja`. */
export interface TemplateOrigin {
  readonly file?: string | undefined;
  /** Of several templates: `tool_use`. */
  readonly name?: string | undefined;
}

const DEFAULT_HINT = "the template is what the model's authors wrote, or is damaged; pass another as `template`";

/** A FormatError that names the template and the line in it. @param line from 1; of the whole template if not given */
export function templateError(
  { file, name }: TemplateOrigin,
  line: number | undefined,
  message: string,
  { kind = "chat-template", cause, hint = DEFAULT_HINT }: { kind?: "chat-template" | "limit"; cause?: unknown; hint?: string } = {},
): Error {
  const what = name === undefined ? "chat template" : `chat template "${name}"`;
  return tokenizerError(kind, `${what}${line === undefined ? "" : `, line ${line}`}: ${message}`, { file, hint, cause });
}

/** A ConfigError of messages, or of options of the rendering. */
export const messagesError = (message: string, hint?: string, cause?: unknown): ConfigError =>
  new ConfigError(message, { kind: "chat-messages", cause, ...(hint !== undefined && { hint }) });
