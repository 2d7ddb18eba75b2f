import type { Claim } from "../claims/claim.js";
import type { Verifier } from "../claims/verifier.js";
import { failure } from "./failure.js";
import type { Tool } from "./tool.js";

const text = { type: "string", maxLength: 4000 } as const;
const texts = { type: "array", items: text, maxItems: 50 } as const;

/** Whether a formula follows from others: of propositional logic, and of SMT-LIB 2 where `z3-solver` is installed. @param verifier in whose executor it runs */
export const logicTool = (verifier: Verifier): Tool => ({
  name: "logic",
  description:
    'Tells whether "follows" is true whenever all "premises" are, with a counter-example if not. language "propositional": p & q, p | q, !p, p -> q, p <-> q. language "smt": terms of SMT-LIB 2 with numbers and quantifiers, with "declarations" such as (declare-const x Int). Follows "false" tells whether the premises contradict each other.',
  parameters: {
    type: "object",
    properties: { language: { enum: ["propositional", "smt"] }, declarations: text, premises: texts, follows: text },
    required: ["language", "follows"],
    additionalProperties: false,
  },
  async run({ language, ...claim }, { signal }) {
    const verdict = await verifier.verify({ type: language, ...claim } as Claim, { signal });
    if (verdict.status === "unknown") return failure("failed", verdict.reason);
    return {
      ok: true,
      content: verdict.status === "verified" ? `it follows (${verdict.detail ?? verdict.check})` : `it does not follow: ${verdict.witness}`,
    };
  },
});
