import type { ChatMessage, ToolCall } from "@weft/tokenizers/chat";
import type { FunctionTool, JsonSchema } from "@weft/generation";
import type { ChatRequest } from "../chat/chat-model.js";
import { type Claim, CLAIM_SCHEMA, type Verdict } from "../claims/claim.js";
import type { Ending, Role, Stop } from "../trace/events.js";
import { answerMessages, judgeMessages, type Observation, plannerMessages, repairMessages, resultText, stepMessages } from "./messages.js";
import { type Plan, planSchema, readJson, readPlan } from "./plan.js";
import type { Setting } from "./setting.js";
import type { World } from "./world.js";

/** Ends a run early. */
class Stopped extends Error {
  readonly stop: Stop;

  constructor(stop: Stop, reason: string) {
    super(reason);
    this.stop = stop;
  }
}

/** Plans, calls, answers and verifies: a function of its setting and of what its world gives. */
export class Run {
  readonly #setting: Setting;
  readonly #world: World;
  #tokens = 0;
  #calls = 0;
  /** Requests so far, each of which has a seed of its own. */
  #requests = 0;

  constructor(setting: Setting, world: World) {
    this.#setting = setting;
    this.#world = world;
  }

  async toEnd(): Promise<Ending> {
    this.#world.note({ type: "start", version: 1, setting: this.#setting });
    let ending: Ending;
    try {
      ending = await this.#attempts();
    } catch (error) {
      if (!(error instanceof Stopped)) throw error;
      ending = { status: "stopped", stopped: error.stop, reason: error.message };
    }
    this.#world.note({ type: "end", ...ending });
    return ending;
  }

  /** A plan after the other, until an answer is not refuted. */
  async #attempts(): Promise<Ending> {
    const failed: { plan: Plan; failure: string }[] = [];
    const refuted: string[] = [];
    for (let attempt = 0; ; attempt++) {
      const last = attempt === this.#setting.maxReplans;
      const plan = await this.#plan(failed);
      const { observations, failure } = await this.#steps(plan);
      if (failure !== undefined) {
        if (last) throw new Stopped("call", failure);
        failed.push({ plan, failure });
        continue;
      }
      const { answer, claims } = await this.#answer(plan, observations, refuted);
      const verdicts = await this.#verdicts(claims);
      const wrong = verdicts.find(({ status }) => status === "refuted");
      if (!wrong)
        return { status: verdicts.length > 0 && verdicts.every(({ status }) => status === "verified") ? "verified" : "unverified", answer };
      const reason = wrong.status === "refuted" ? wrong.witness : "";
      if (last) return { status: "refuted", answer, reason };
      refuted.push(`${JSON.stringify(answer)}, because ${reason}`);
      // A witness may quote what a tool said, which the planner must not see.
      failed.push({ plan, failure: "the answer was refuted" });
    }
  }

  async #plan(failed: readonly { readonly plan: Plan; readonly failure: string }[]): Promise<Plan> {
    const { plan: given, tools, budget } = this.#setting;
    const names = tools.map((tool) => tool.function.name);
    // Without a planner's work to do, the plan that is given is tried again.
    if (given) return this.#planned(given);
    if (names.length === 0) return this.#planned({ steps: [] });
    const schema = planSchema(names, budget.steps);
    return this.#planned(
      await this.#json("planner", plannerMessages(this.#setting, failed), schema, "plan", {
        read: (text) => readPlan(text, names, budget.steps),
      }),
    );
  }

  #planned(plan: Plan): Plan {
    this.#world.note({ type: "plan", plan });
    return plan;
  }

  /** A call for each step. @returns what was observed, and the step that failed, told without what a tool said */
  async #steps(plan: Plan): Promise<{ readonly observations: readonly Observation[]; readonly failure?: string }> {
    const observations: Observation[] = [];
    for (const [i, { tools }] of plan.steps.entries()) {
      const reason = await this.#step(plan, i, observations);
      if (reason !== undefined) return { observations, failure: `step ${i + 1}, with ${tools.join(" or ")}: ${reason}` };
    }
    return { observations };
  }

  /** @returns why the step failed, if it did */
  async #step(plan: Plan, step: number, observations: Observation[]): Promise<string | undefined> {
    const allowed = plan.steps[step]!.tools;
    const tools = this.#named(allowed);
    let messages: readonly ChatMessage[] = stepMessages(this.#setting, plan, step, observations);
    let reason = "no call";
    for (let turn = 0; turn <= this.#setting.maxRepairs; turn++) {
      const { text, calls, faults } = await this.#ask("writer", { messages, tools });
      // One call a step: what follows it was written without knowing its result.
      const [call] = calls;
      if (call) {
        const result = await this.#call(step, call, allowed);
        if (result.ok) {
          observations.push({ call, result });
          return undefined;
        }
        reason = result.reason;
        messages = [...messages, ...repairMessages(text, resultText(result))];
      } else {
        reason = "no call";
        messages = [...messages, ...repairMessages(text, faults.join("; ") || `a call of ${allowed.join(" or ")} is expected`)];
      }
    }
    return reason;
  }

  #named(names: readonly string[]): readonly FunctionTool[] {
    return this.#setting.tools.filter((tool) => names.includes(tool.function.name));
  }

  async #call(step: number, call: ToolCall, allowed: readonly string[]): ReturnType<World["call"]> {
    if (this.#calls >= this.#setting.budget.steps) throw new Stopped("steps", `${this.#calls} calls are the budget`);
    this.#calls++;
    return this.#world.call(step, call, allowed);
  }

  async #answer(
    plan: Plan,
    observations: readonly Observation[],
    refuted: readonly string[],
  ): Promise<{ readonly answer: unknown; readonly claims: readonly Claim[] }> {
    const { answer, claims = [] } = await this.#written(plan, observations, refuted);
    const judged = this.#setting.claimsBy === "judge" ? await this.#judged(answer) : claims;
    return { answer, claims: [...(await this.#world.claims(answer)), ...judged] };
  }

  async #written(
    plan: Plan,
    observations: readonly Observation[],
    refuted: readonly string[],
  ): Promise<{ readonly answer: unknown; readonly claims?: readonly Claim[] }> {
    const { answerBy, answerSchema, claimsBy } = this.#setting;
    if (answerBy === "result") {
      const last = observations.at(-1)?.result;
      if (!last?.ok) throw new Stopped("answer", "the answer is the result of a call, and the plan has none");
      return { answer: last.content };
    }
    const schema = objectOf({ answer: answerSchema, ...(claimsBy === "writer" && { claims: CLAIM_LIST }) });
    const tools = this.#named(plan.steps.flatMap((step) => step.tools));
    return this.#json("writer", answerMessages(this.#setting, observations, refuted), schema, "answer", { tools });
  }

  async #judged(answer: unknown): Promise<readonly Claim[]> {
    const messages = judgeMessages(this.#setting, answer);
    return (await this.#json<{ claims: readonly Claim[] }>("judge", messages, objectOf({ claims: CLAIM_LIST }), "answer")).claims;
  }

  async #verdicts(claims: readonly Claim[]): Promise<readonly Verdict[]> {
    const verdicts: Verdict[] = [];
    for (const claim of claims) {
      this.#assertTime();
      verdicts.push(await this.#world.verify(claim));
    }
    return verdicts;
  }

  /** JSON that a model writes, with turns to write it again. */
  async #json<T extends object>(
    role: Role,
    first: readonly ChatMessage[],
    schema: JsonSchema,
    stop: Stop,
    {
      tools = [],
      read = (text) => readJson<T>(text, schema, "the answer"),
    }: { readonly tools?: readonly FunctionTool[]; readonly read?: (text: string) => T | { readonly fault: string } } = {},
  ): Promise<T> {
    let messages = first;
    let fault = "";
    for (let turn = 0; turn <= this.#setting.maxRepairs; turn++) {
      const { text } = await this.#ask(role, { messages, schema, ...(tools.length > 0 && { tools }) });
      const value = read(text);
      if (!("fault" in value)) return value;
      fault = value.fault;
      messages = [...messages, ...repairMessages(text, fault)];
    }
    throw new Stopped(stop, fault);
  }

  async #ask(
    role: Role,
    request: Pick<ChatRequest, "messages" | "tools" | "schema">,
  ): Promise<Extract<Awaited<ReturnType<World["model"]>>, { answer: unknown }>["answer"]> {
    this.#assertTime();
    const { budget, maxTokens, seed } = this.#setting;
    const left = budget.tokens - this.#tokens;
    if (left <= 0) throw new Stopped("tokens", `${this.#tokens} tokens are used, ${budget.tokens} are the budget`);
    const answered = await this.#world.model(role, { ...request, maxTokens: Math.min(maxTokens, left), seed: seed + this.#requests++ });
    if ("error" in answered) {
      this.#assertTime();
      throw new Stopped("model", answered.error);
    }
    this.#tokens += answered.answer.promptTokens + answered.answer.completionTokens;
    return answered.answer;
  }

  #assertTime(): void {
    const { now } = this.#world;
    if (now >= this.#setting.budget.time) throw new Stopped("time", `${now} ms are used, ${this.#setting.budget.time} are the budget`);
  }
}

const CLAIM_LIST: JsonSchema = { type: "array", items: CLAIM_SCHEMA };

const objectOf = (properties: { readonly [name: string]: JsonSchema }): JsonSchema => ({
  type: "object",
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});
