import type { ChatMessage } from "@weft/tokenizers/chat";
import { wantsCall } from "../chat/chat-model.js";
import type { FunctionTool } from "@weft/generation";
import type { Role, Trace } from "./events.js";
import { type Exchange, replayExchanges } from "./replay.js";

/** An example to train on, as `toExamples` of `@weft/datasets` reads it: a chat whose last message is what the model is to say. */
export interface DistilledRow {
  readonly messages: readonly ChatMessage[];
  readonly tools?: readonly FunctionTool[];
}

/**
 * What a model may learn of traces whose answers were verified: each request with its answer, where that was of use. Repairs, calls that failed, and what came
 * before another plan are left out; equal rows are given once.
 * @param role of which the rows are; each role has an adapter of its own
 * @throws FormatError kind `trace` for traces that cannot be replayed
 */
export async function distil(traces: readonly Trace[], role: Role = "writer"): Promise<readonly DistilledRow[]> {
  const rows = new Map<string, DistilledRow>();
  for (const trace of traces) {
    const end = trace.at(-1);
    if (end?.type !== "end" || end.status !== "verified") continue;
    const { exchanges } = await replayExchanges(trace);
    const from = trace.findLastIndex(({ type }) => type === "plan");
    // The planner's last answer stands before the plan that it became.
    const kept = exchanges.filter((one) => one.role === role && (role === "planner" ? one.place + 1 === from : one.place > from));
    for (const exchange of kept) {
      const row = rowOf(exchange, trace);
      if (row) rows.set(JSON.stringify(row), row);
    }
  }
  return [...rows.values()];
}

/** Nothing for what had to be written again, and for what was written after a repair, whose chat the model is not to come to. */
function rowOf({ request, answered, place }: Exchange, trace: Trace): DistilledRow | undefined {
  if (!("answer" in answered)) return undefined;
  const { messages, tools } = request;
  const listed = tools && { tools };
  if (!wantsCall(request)) {
    const next = trace[place + 1];
    // Another request of the same role follows where this answer was not valid.
    if (next?.type === "model" && next.role === (trace[place] as { role?: Role }).role) return undefined;
    return repaired(messages) ? undefined : { messages: [...messages, { role: "assistant", content: answered.answer.text }], ...listed };
  }
  const event = trace[place + 1];
  if (event?.type !== "call" || !event.result.ok || repaired(messages)) return undefined;
  const call = { id: "call00000", type: "function", function: event.call };
  return { messages: [...messages, { role: "assistant", content: "", tool_calls: [call] }], ...listed };
}

const repaired = (messages: readonly ChatMessage[]): boolean =>
  messages.some(({ role, tool_calls: calls }, i) => role === "assistant" && calls === undefined && i > 0);
