import { CancelledError } from "@weft/tensor-core";
import type { ToolCall } from "@weft/tokenizers/chat";
import type { ChatModel, ChatRequest } from "../chat/chat-model.js";
import type { Claim, Verdict } from "../claims/claim.js";
import type { Verifier } from "../claims/verifier.js";
import type { Answered, World } from "../run/world.js";
import { callTool } from "../tools/call-tool.js";
import { failure } from "../tools/failure.js";
import type { Tool, ToolResult } from "../tools/tool.js";
import { digest } from "./digest.js";
import type { Role, TraceEvent } from "./events.js";

/** What a live run works with. */
export interface Participants {
  readonly models: { readonly [role in Role]: ChatModel };
  readonly tools: readonly Tool[];
  readonly verifier: Verifier | undefined;
  readonly claims: (answer: unknown) => readonly Claim[];
}

/** Asks models, calls tools and checks claims, and takes down all of it. */
export class LiveWorld implements World {
  readonly trace: TraceEvent[] = [];
  now = 0;
  readonly #participants: Participants;
  readonly #limits: { readonly time: number; readonly callTimeout: number };
  readonly #signal: AbortSignal | undefined;
  readonly #begun = performance.now();
  readonly #onEvent: ((event: TraceEvent) => void) | undefined;

  constructor(
    participants: Participants,
    limits: { readonly time: number; readonly callTimeout: number },
    signal?: AbortSignal,
    onEvent?: (event: TraceEvent) => void,
  ) {
    this.#participants = participants;
    this.#limits = limits;
    this.#signal = signal;
    this.#onEvent = onEvent;
  }

  /** @throws CancelledError */
  async model(role: Role, request: ChatRequest): Promise<Answered> {
    const common = { type: "model", role, request: await digest(request) } as const;
    const time = AbortSignal.timeout(Math.max(1, Math.ceil(this.#limits.time - this.#elapsed())));
    const signal = this.#signal ? AbortSignal.any([this.#signal, time]) : time;
    let answered: Answered;
    try {
      answered = { answer: await this.#participants.models[role].chat(request, { signal }) };
    } catch (error) {
      answered = { error: error instanceof Error ? error.message : String(error) };
    }
    this.#assertWanted();
    this.#record({ ...common, ...answered, at: this.#tick() });
    return answered;
  }

  /** @throws CancelledError */
  async call(step: number, call: ToolCall, allowed: readonly string[]): Promise<ToolResult> {
    const result = await this.#result(call, allowed);
    this.#assertWanted();
    this.#record({ type: "call", step, call, result, at: this.#tick() });
    return result;
  }

  async #result({ name, arguments: args }: ToolCall, allowed: readonly string[]): Promise<ToolResult> {
    const tool = allowed.includes(name) ? this.#participants.tools.find((one) => one.name === name) : undefined;
    if (!tool) return failure("not-allowed", `this step may call ${allowed.join(" or ")}, and nothing else`);
    const time = Math.min(this.#limits.callTimeout, this.#limits.time - this.#elapsed());
    return callTool(tool, args, { deadline: Date.now() + Math.max(0, time), signal: this.#signal });
  }

  async claims(answer: unknown): Promise<readonly Claim[]> {
    const claims = this.#participants.claims(answer);
    this.#record({ type: "claims", claims });
    return claims;
  }

  /** @throws CancelledError */
  async verify(claim: Claim): Promise<Verdict> {
    const { verifier } = this.#participants;
    const verdict: Verdict = verifier
      ? await verifier.verify(claim, { signal: this.#signal })
      : { status: "unknown", reason: "the agent has no verifier" };
    this.#assertWanted();
    this.#record({ type: "verdict", claim, verdict, at: this.#tick() });
    return verdict;
  }

  note(event: Parameters<World["note"]>[0]): void {
    this.#record(event);
  }

  #record(event: TraceEvent): void {
    // What is recorded is data: later changes of it are not part of what happened.
    const plain = JSON.parse(JSON.stringify(event)) as TraceEvent;
    this.trace.push(plain);
    this.#onEvent?.(plain);
  }

  #elapsed(): number {
    return performance.now() - this.#begun;
  }

  #tick(): number {
    return (this.now = Math.round(this.#elapsed()));
  }

  #assertWanted(): void {
    if (this.#signal?.aborted) throw new CancelledError();
  }
}
