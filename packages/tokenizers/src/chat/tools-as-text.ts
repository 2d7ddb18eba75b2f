import type { ChatMessage } from "./messages.js";

/** Messages that say in words, as Hermes' template does, what tools there are and how to call them; for templates that do not. */
export function toolsAsText(messages: readonly ChatMessage[], tools: readonly object[]): readonly ChatMessage[] {
  const list = tools.map((tool) => JSON.stringify(tool)).join("\n");
  const text = `You may call one of these functions:\n<tools>\n${list}\n</tools>\nTo call one, answer <tool_call>\n{"name": NAME, "arguments": {…}}\n</tool_call>`;
  const plain = messages.map((message) => {
    const { tool_calls: calls, ...rest } = message;
    return Array.isArray(calls) ? { ...rest, content: calls.map(callText).join("\n") } : message;
  });
  const [first, ...others] = plain;
  return first?.role === "system"
    ? [{ ...first, content: `${String(first.content)}\n\n${text}` }, ...others]
    : [{ role: "system", content: text }, ...plain];
}

const callText = (call: { readonly function: object }): string => `<tool_call>\n${JSON.stringify(call.function)}\n</tool_call>`;
