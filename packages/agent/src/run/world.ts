import type { ToolCall } from "@weft/tokenizers/chat";
import type { ChatAnswer, ChatRequest } from "../chat/chat-model.js";
import type { Claim, Verdict } from "../claims/claim.js";
import type { ToolResult } from "../tools/tool.js";
import type { Role, TraceEvent } from "../trace/events.js";

/** What a model gave, or why it gave nothing. */
export type Answered = { readonly answer: ChatAnswer } | { readonly error: string };

/**
 * All that a run gets from outside: what models, tools, checks and the clock give. A live world asks them; that of a replay gives what a trace has. A run that
 * gets the same from its world does the same.
 */
export interface World {
  /** Ms since the run began, of the last thing that came from outside. */
  readonly now: number;
  model(role: Role, request: ChatRequest): Promise<Answered>;
  call(step: number, call: ToolCall, allowed: readonly string[]): Promise<ToolResult>;
  /** What the caller knows has to be true of an answer. */
  claims(answer: unknown): Promise<readonly Claim[]>;
  verify(claim: Claim): Promise<Verdict>;
  /** Takes down what follows from the rest. */
  note(event: Extract<TraceEvent, { readonly type: "start" | "plan" | "end" }>): void;
}
