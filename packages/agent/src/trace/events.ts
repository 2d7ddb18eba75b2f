import type { ToolCall } from "@weft/tokenizers/chat";
import type { ChatAnswer } from "../chat/chat-model.js";
import type { Claim, Verdict } from "../claims/claim.js";
import type { Plan } from "../run/plan.js";
import type { Setting } from "../run/setting.js";
import type { ToolResult } from "../tools/tool.js";

/** Who a model answers as. */
export type Role = "planner" | "writer" | "judge";

/** Why a run ended before its answer was checked. */
export type Stop = "steps" | "tokens" | "time" | "plan" | "call" | "answer" | "model";

/** How a run ended. `verified`: there are claims, and each was verified. `refuted`: one is wrong. `unverified`: none is wrong, and one is unknown or there are none. */
export interface Ending {
  readonly status: "verified" | "refuted" | "unverified" | "stopped";
  readonly answer?: unknown;
  readonly stopped?: Stop;
  /** More on it, for people. */
  readonly reason?: string;
}

/** A line of a trace. `at`: ms since the run began. */
export type TraceEvent =
  | { readonly type: "start"; readonly version: 1; readonly setting: Setting }
  | { readonly type: "plan"; readonly plan: Plan }
  | { readonly type: "model"; readonly role: Role; readonly request: string; readonly answer: ChatAnswer; readonly at: number }
  | { readonly type: "model"; readonly role: Role; readonly request: string; readonly error: string; readonly at: number }
  | { readonly type: "call"; readonly step: number; readonly call: ToolCall; readonly result: ToolResult; readonly at: number }
  | { readonly type: "claims"; readonly claims: readonly Claim[] }
  | { readonly type: "verdict"; readonly claim: Claim; readonly verdict: Verdict; readonly at: number }
  | ({ readonly type: "end" } & Ending);

/** What happened in a run, from its setting to its end. */
export type Trace = readonly TraceEvent[];
