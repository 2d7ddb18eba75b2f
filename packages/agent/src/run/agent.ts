import { ConfigError } from "@weft/tensor-core";
import type { ChatModel } from "../chat/chat-model.js";
import type { Claim, Verdict } from "../claims/claim.js";
import type { Verifier } from "../claims/verifier.js";
import { toFunctionTool } from "../tools/function-format.js";
import type { Tool } from "../tools/tool.js";
import type { Ending, Trace, TraceEvent } from "../trace/events.js";
import { LiveWorld } from "../trace/live-world.js";
import { Run } from "./run.js";
import { type RunOptions, type Setting, settingOf } from "./setting.js";

/** What an agent consists of. */
export interface AgentOptions {
  /** One model for all roles, or one for each: adapters of one base that stays in memory. Without a judge the writer states its claims itself. */
  readonly model: ChatModel | { readonly planner: ChatModel; readonly writer: ChatModel; readonly judge?: ChatModel };
  readonly tools?: readonly Tool[];
  /** Without one nothing is verified. */
  readonly verifier?: Verifier;
}

/** One task. */
export interface TaskOptions extends RunOptions {
  /** What has to be true of an answer, by your own knowledge of the task; instead of claims of a model if `claimsBy` is `caller`. */
  readonly claims?: (answer: unknown) => readonly Claim[];
  /** Who states claims: `judge` if there is one, else `writer`, or nobody but `claims` where the answer is a result; `caller`, where `claims` says all. */
  readonly claimsBy?: Setting["claimsBy"];
  readonly signal?: AbortSignal;
  /** Sees the trace as it grows. */
  readonly onEvent?: (event: TraceEvent) => void;
}

/** What became of a task. */
export interface AgentResult extends Ending {
  /** The claims about the answer, each with what became of it. The status says no more than these do. */
  readonly claims: readonly { readonly claim: Claim; readonly verdict: Verdict }[];
  readonly trace: Trace;
}

/**
 * Does tasks by tools, and says of its answers what was verified: a planner makes a plan of calls, a writer makes the calls and the answer, a judge states what has
 * to be true of it, and a verifier, which is a program and none of the models, checks that. What fails, or is refuted, is planned anew.
 */
export class Agent {
  readonly #models: { readonly planner: ChatModel; readonly writer: ChatModel; readonly judge?: ChatModel };
  readonly #tools: readonly Tool[];
  readonly #verifier: Verifier | undefined;

  constructor({ model, tools = [], verifier }: AgentOptions) {
    this.#models = "chat" in model ? { planner: model, writer: model } : model;
    this.#tools = tools;
    this.#verifier = verifier;
  }

  /**
   * Does one task. That it stops at a budget, or that models and tools fail, is a result.
   * @throws ConfigError kind `agent-option`; CancelledError
   */
  async run(task: string, options: TaskOptions = {}): Promise<AgentResult> {
    const {
      claims = () => [],
      claimsBy = this.#models.judge ? "judge" : options.answerBy === "result" ? "caller" : "writer",
      signal,
      onEvent,
      ...rest
    } = options;
    const { planner, writer, judge = writer } = this.#models;
    if (claimsBy === "judge" && !this.#models.judge)
      throw new ConfigError("claimsBy is judge, and the agent has none", { kind: "agent-option" });
    if (claimsBy === "writer" && options.answerBy === "result")
      throw new ConfigError("claimsBy is writer, who writes nothing where answerBy is result", { kind: "agent-option" });
    const setting = settingOf(task, this.#tools.map(toFunctionTool), claimsBy, rest);
    const limits = { time: setting.budget.time, callTimeout: setting.callTimeout };
    const participants = { models: { planner, writer, judge }, tools: this.#tools, verifier: this.#verifier, claims };
    const world = new LiveWorld(participants, limits, signal, onEvent);
    const ending = await new Run(setting, world).toEnd();
    return { ...ending, claims: lastVerdicts(world.trace), trace: world.trace };
  }
}

/** Those about the last answer. */
function lastVerdicts(trace: Trace): AgentResult["claims"] {
  const from = trace.findLastIndex(({ type }) => type === "claims");
  return trace
    .slice(Math.max(0, from))
    .flatMap((event) => (event.type === "verdict" ? [{ claim: event.claim, verdict: event.verdict }] : []));
}
