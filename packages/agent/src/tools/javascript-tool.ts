import type { Executor } from "../executor/executor.js";
import type { Tool } from "./tool.js";

/** JavaScript in QuickJS, where `quickjs-emscripten` is installed: no files, no network, nothing of this program but `print`. @param executor in which it runs */
export const javascriptTool = (executor: Executor): Tool => ({
  name: "javascript",
  description:
    "Runs JavaScript without files and network, and gives what it prints by print(...) and the value of its last expression. For loops, searches and texts.",
  parameters: {
    type: "object",
    properties: { code: { type: "string", minLength: 1, maxLength: 20_000 } },
    required: ["code"],
    additionalProperties: false,
  },
  run: ({ code }, limits) => executor.run("javascript", code, limits),
});
