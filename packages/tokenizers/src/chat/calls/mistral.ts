import { beforeMarker, type CallFormat, type ToolCall } from "./call-format.js";
import { readCalls } from "./read-call.js";

const TAG = "[TOOL_CALLS]";

/** Mistral: `[TOOL_CALLS] [{"name": …, "arguments": {…}}]`, and of its newer models `[TOOL_CALLS]name[ARGS]{…}`. */
export const MISTRAL: CallFormat = {
  name: "mistral",
  open: "[TOOL_CALLS] [",
  close: "]",
  argumentsKey: "arguments",
  certain: (text) => beforeMarker(text, TAG),
  parse(text) {
    const [before = "", ...parts] = text.replaceAll("</s>", "").split(TAG);
    const calls: ToolCall[] = [];
    const faults: string[] = [];
    for (const part of parts) {
      const named = /^\s*([\w-]+)\s*\[ARGS\]([^]*)$/u.exec(part);
      const read = readCalls(named ? `{"name": ${JSON.stringify(named[1])}, "arguments": ${named[2]!.trim()}}` : part.trim());
      calls.push(...read.calls);
      faults.push(...read.faults);
    }
    return { calls, faults, text: before.trim() };
  },
};
