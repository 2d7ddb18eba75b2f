import { FormatError } from "@weft/tensor-core";
import type { ToolCall } from "@weft/tokenizers/chat";
import type { ChatModel, ChatRequest } from "../chat/chat-model.js";
import type { Claim, Verdict } from "../claims/claim.js";
import { Run } from "../run/run.js";
import type { Answered, World } from "../run/world.js";
import type { ToolResult } from "../tools/tool.js";
import { digest } from "./digest.js";
import type { Role, Trace, TraceEvent } from "./events.js";

/** A request of a run, with what came of it. */
export interface Exchange {
  readonly role: Role;
  readonly request: ChatRequest;
  readonly answered: Answered;
  /** Where it stands in the trace. */
  readonly place: number;
}

/** How a trace is replayed. */
export interface ReplayOptions {
  /** Asked again, with the seeds of the trace: what they answer has to be what they answered then. Without them, answers are those of the trace. */
  readonly models?: { readonly [role in Role]?: ChatModel };
}

/**
 * Runs a trace again: the same decisions over what it has of models, tools, checks and times. Nothing is called.
 * @returns the trace of that run, which is the same, byte for byte
 * @throws FormatError kind `trace` where the run goes another way than the trace says
 */
export async function replay(trace: Trace, options: ReplayOptions = {}): Promise<Trace> {
  return (await replayExchanges(trace, options)).trace;
}

/** The same, with the requests, of which a trace has only digests. @throws as {@link replay} */
export async function replayExchanges(
  trace: Trace,
  { models = {} }: ReplayOptions = {},
): Promise<{ readonly trace: Trace; readonly exchanges: readonly Exchange[] }> {
  const [first] = trace;
  if (first?.type !== "start") throw new FormatError("a trace begins with an event of type start", { kind: "trace" });
  const world = new ReplayWorld(trace, models);
  await new Run(first.setting, world).toEnd();
  if (world.trace.length < trace.length) throw differs(world.trace.length, "the run ends here");
  return world;
}

const differs = (place: number, why: string): FormatError =>
  new FormatError(`event ${place + 1} of the trace: ${why}`, {
    kind: "trace",
    hint: "it was changed, or made by another version of the agent",
  });

class ReplayWorld implements World {
  readonly trace: TraceEvent[] = [];
  readonly exchanges: Exchange[] = [];
  now = 0;
  readonly #recorded: Trace;
  readonly #models: { readonly [role in Role]?: ChatModel };

  constructor(recorded: Trace, models: { readonly [role in Role]?: ChatModel }) {
    this.#recorded = recorded;
    this.#models = models;
  }

  async model(role: Role, request: ChatRequest): Promise<Answered> {
    const place = this.trace.length;
    const event = this.#next("model");
    const answered: Answered = "error" in event ? { error: event.error } : { answer: event.answer };
    const model = this.#models[role];
    const again: Answered = model && "answer" in answered ? { answer: await model.chat(request) } : answered;
    this.exchanges.push({ role, request, answered, place });
    this.#same({ type: "model", role, request: await digest(request), ...again, at: event.at });
    this.now = event.at;
    return answered;
  }

  async call(step: number, call: ToolCall): Promise<ToolResult> {
    const { result, at } = this.#next("call");
    this.#same({ type: "call", step, call, result, at });
    this.now = at;
    return result;
  }

  async claims(): Promise<readonly Claim[]> {
    const event = this.#next("claims");
    this.#same(event);
    return event.claims;
  }

  async verify(claim: Claim): Promise<Verdict> {
    const { verdict, at } = this.#next("verdict");
    this.#same({ type: "verdict", claim, verdict, at });
    this.now = at;
    return verdict;
  }

  note(event: Parameters<World["note"]>[0]): void {
    this.#same(event);
  }

  #next<T extends TraceEvent["type"]>(type: T): Extract<TraceEvent, { readonly type: T }> {
    const event = this.#recorded[this.trace.length];
    if (event?.type !== type) throw differs(this.trace.length, `is ${event?.type ?? "missing"}, the run comes to ${type}`);
    return event as Extract<TraceEvent, { readonly type: T }>;
  }

  #same(event: TraceEvent): void {
    const [now, then] = [JSON.stringify(event), JSON.stringify(this.#recorded[this.trace.length])];
    if (now !== then) throw differs(this.trace.length, `was ${then?.slice(0, 200)}, is ${now.slice(0, 200)}`);
    this.trace.push(JSON.parse(now) as TraceEvent);
  }
}
