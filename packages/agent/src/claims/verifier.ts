import type { Executor } from "../executor/executor.js";
import type { ToolResult } from "../tools/tool.js";
import type { Claim, Verdict } from "./claim.js";
import { type SmtAnswer, smtScriptOf, smtVerdict } from "./smt.js";

/** How claims are verified. */
export interface VerifierOptions {
  /** Ms that a check may take; 10,000 if not given. */
  readonly timeout?: number;
}

/**
 * Verifies claims, whoever made them: each is checked anew from what it says, by computing and searching, in a worker of an executor. What does not come to an
 * end, or means nothing, is unknown.
 */
export class Verifier {
  readonly #executor: Executor;
  readonly #timeout: number;

  constructor(executor: Executor, { timeout = 10_000 }: VerifierOptions = {}) {
    this.#executor = executor;
    this.#timeout = timeout;
  }

  /** Never rejects. */
  async verify(claim: Claim, { signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<Verdict> {
    const limits = { signal, deadline: Date.now() + this.#timeout };
    try {
      if (claim.type !== "smt") return read(await this.#executor.run("claims", claim, limits), (text) => JSON.parse(text) as Verdict);
      const result = await this.#executor.run("smt", smtScriptOf(claim), limits);
      return read(result, (text) => smtVerdict(claim, JSON.parse(text) as SmtAnswer));
    } catch (error) {
      return { status: "unknown", reason: error instanceof Error ? error.message : String(error) };
    }
  }
}

const read = (result: ToolResult, verdict: (text: string) => Verdict): Verdict =>
  result.ok ? verdict(result.content) : { status: "unknown", reason: result.error };
