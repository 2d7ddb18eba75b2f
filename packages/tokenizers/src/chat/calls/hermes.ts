import { beforeMarker, type CallFormat, type ToolCall } from "./call-format.js";
import { readCalls } from "./read-call.js";

const CALL = /<tool_call>\s*([^]*?)\s*(?:<\/tool_call>|$)/gu;

/** Hermes, Qwen 2.5 and 3 and many others: `<tool_call>{"name": …, "arguments": {…}}</tool_call>`, one or several. */
export const HERMES: CallFormat = {
  name: "hermes",
  open: "<tool_call>\n",
  close: "\n</tool_call>",
  argumentsKey: "arguments",
  certain: (text) => beforeMarker(text, "<tool_call>"),
  parse(text) {
    const calls: ToolCall[] = [];
    const faults: string[] = [];
    const rest = text.replaceAll(CALL, (_, json: string) => {
      const read = readCalls(json);
      calls.push(...read.calls);
      faults.push(...read.faults);
      return "";
    });
    return { calls, faults, text: rest.trim() };
  },
};
