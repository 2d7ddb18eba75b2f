import type { Executor } from "../executor/executor.js";
import type { Tool } from "./tool.js";

const text = { type: "string", maxLength: 8000 } as const;

/** Facts and rules in Prolog, where `tau-prolog` is installed. @param executor in which it runs */
export const rulesTool = (executor: Executor): Tool => ({
  name: "rules",
  description:
    'Answers a query about facts and rules in Prolog. program: "parent(ann, bob). ancestor(X, Y) :- parent(X, Y)." query: "ancestor(ann, Who)." Gives up to 20 answers, or false.',
  parameters: { type: "object", properties: { program: text, query: text }, required: ["program", "query"], additionalProperties: false },
  run: (input, limits) => executor.run("prolog", input, limits),
});
