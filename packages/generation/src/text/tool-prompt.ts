import { type ChatMessage, toolsAsText } from "@weft/tokenizers/chat";
import type { FunctionTool } from "./call-schema.js";
import type { TextGenerator } from "./text-generator.js";

/**
 * A chat with tools as the text that the model gets. Templates that know no tools leave them out, so that a message of the system then says what there are and how to call them.
 * @throws ConfigError kinds `chat-template-missing`, `chat-messages`
 */
export function toolPrompt(generator: TextGenerator, messages: readonly ChatMessage[], tools: readonly FunctionTool[]): string {
  const options = { addGenerationPrompt: true };
  if (tools.length === 0) return generator.chatText(messages, options);
  const text = generator.chatText(messages, { ...options, tools });
  const isNamed = tools.every(({ function: { name } }) => text.includes(name));
  return isNamed ? text : generator.chatText(toolsAsText(messages, tools), options);
}
