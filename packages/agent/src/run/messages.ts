import type { ChatMessage, ToolCall } from "@weft/tokenizers/chat";
import type { ToolResult } from "../tools/tool.js";
import type { Plan } from "./plan.js";
import type { Setting } from "./setting.js";

/** A call that was made, with what came of it. */
export interface Observation {
  readonly call: ToolCall;
  readonly result: ToolResult;
}

/**
 * What a tool gave, as JSON in which nothing can end it: the characters that begin the marks of chat templates (`<|im_end|>`, `[INST]`) are written as escapes,
 * so that a tokenizer sees no marks in what a tool says.
 */
export const resultText = (result: ToolResult): string => {
  const told = result.ok ? { ok: true, content: result.content } : { ok: false, error: result.error };
  return JSON.stringify(told).replaceAll("<", "\\u003c").replaceAll("[", "\\u005b");
};

/** Ids of calls have nine characters, which Mistral's template demands. */
const callId = (place: number): string => `call${String(place).padStart(5, "0")}`;

function observed(observations: readonly Observation[]): readonly ChatMessage[] {
  return observations.flatMap(({ call, result }, i) => [
    { role: "assistant", content: "", tool_calls: [{ id: callId(i), type: "function", function: call }] },
    { role: "tool", name: call.name, tool_call_id: callId(i), content: resultText(result) },
  ]);
}

const system = (content: string): readonly ChatMessage[] => (content === "" ? [] : [{ role: "system", content }]);

/** For the planner: the task, and at a second plan what became of the first. Nothing that a tool said is in it. */
export function plannerMessages(
  { task, tools, prompts }: Setting,
  failed: readonly { readonly plan: Plan; readonly failure: string }[],
): readonly ChatMessage[] {
  const list = tools.map(({ function: { name, description } }) => `- ${name}: ${description ?? ""}`).join("\n");
  const before = failed.map(({ plan, failure }) => `The plan ${JSON.stringify(plan)} failed: ${failure}. Write another one.`);
  return [...system(prompts.planner), { role: "user", content: [`Tools:\n${list}`, `Task: ${task}`, ...before].join("\n\n") }];
}

/** For the writer's next call. */
export function stepMessages(
  { task, prompts }: Setting,
  plan: Plan,
  step: number,
  observations: readonly Observation[],
): readonly ChatMessage[] {
  const now = plan.steps.length > 1 ? `\n\nNow do step ${step + 1} of ${plan.steps.length}: ${plan.steps[step]!.task}` : "";
  return [...system(prompts.writer), { role: "user", content: task + now }, ...observed(observations)];
}

/** For the writer's answer. */
export function answerMessages(
  { task, prompts }: Setting,
  observations: readonly Observation[],
  refuted: readonly string[],
): readonly ChatMessage[] {
  const wrong = refuted.map((one) => `\n\nAn answer was wrong: ${one}`).join("");
  return [...system(prompts.writer), { role: "user", content: task + wrong }, ...observed(observations)];
}

/** For the judge, who sees task and answer, and not how it was come by. */
export function judgeMessages({ task, prompts }: Setting, answer: unknown): readonly ChatMessage[] {
  return [...system(prompts.judge), { role: "user", content: `Task: ${task}\n\nAnswer: ${JSON.stringify(answer)}` }];
}

/** What a model is told that has to write something again. */
export const repairMessages = (text: string, fault: string): readonly ChatMessage[] => [
  { role: "assistant", content: text },
  { role: "user", content: `That is not valid: ${fault}. Write it again.` },
];
