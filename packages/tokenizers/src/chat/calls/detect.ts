import type { ChatTemplate } from "../chat-template.js";
import type { CallFormat } from "./call-format.js";
import { HERMES } from "./hermes.js";
import { LLAMA3 } from "./llama3.js";
import { MISTRAL } from "./mistral.js";

const PROBE = { name: "weft_probe", arguments: { x: 1 } };

/**
 * How a model writes calls, found by letting its chat template write one. Hermes' where the template writes none, as it does not know tools: what the system's
 * message then asks for.
 */
export function callFormatOf(template: ChatTemplate | undefined): CallFormat {
  const text = template ? written(template) : "";
  if (text.includes("[TOOL_CALLS]")) return MISTRAL;
  if (text.includes("<tool_call>")) return HERMES;
  return /"parameters":\s*\{"x"/u.test(text) ? LLAMA3 : HERMES;
}

/** A chat with a call, or nothing if the template refuses it. */
function written(template: ChatTemplate): string {
  const tools = [{ type: "function", function: { name: PROBE.name, description: "", parameters: { type: "object", properties: {} } } }];
  const messages = [
    { role: "user", content: "x" },
    // Mistral's ids have nine characters.
    { role: "assistant", content: "", tool_calls: [{ id: "abcdefghi", type: "function", function: PROBE }] },
  ];
  try {
    return template.render(messages, { tools });
  } catch {
    return "";
  }
}
