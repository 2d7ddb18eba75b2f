import { type SmtQuestion, smtScript } from "../logic/smt-script.js";
import type { SmtClaim, Verdict } from "./claim.js";

const check = "smt";
const GOAL = "weft-goal";
const names = (terms: readonly string[]): SmtQuestion["assertions"] => terms.map((term, i) => ({ name: `weft-${i}`, term }));

/** What the solver found: values that make all assertions true, names of assertions that cannot all be true, or why it does not know. */
export type SmtAnswer =
  | { readonly result: "sat"; readonly model: string }
  | { readonly result: "unsat"; readonly core: readonly string[] }
  | { readonly result: "unknown"; readonly reason: string };

/** The script that decides a claim: its premises with its denial. @throws ConfigError kinds `logic`, `limit` */
export function smtScriptOf(claim: SmtClaim): string {
  const { declarations = "" } = claim;
  if ("consistent" in claim) return smtScript({ declarations, assertions: names(claim.consistent) });
  // Read alone first, so that brackets of the claim cannot reach beyond its denial.
  const [goal] = smtScript({ declarations: "", assertions: [{ name: GOAL, term: claim.follows }] }).match(
    /(?<=^\(assert \(! )[^]*(?= :named weft-goal\)\)$)/u,
  )!;
  return smtScript({ declarations, assertions: [...names(claim.premises ?? []), { name: GOAL, term: `(not ${goal})` }] });
}

/** What the solver's answer says about the claim. */
export function smtVerdict(claim: SmtClaim, answer: SmtAnswer): Verdict {
  if (answer.result === "unknown") return { status: "unknown", reason: `the SMT solver does not know: ${answer.reason}` };
  const terms = "consistent" in claim ? claim.consistent : (claim.premises ?? []);
  const core =
    answer.result === "unsat" ? answer.core.filter((name) => name !== GOAL).map((name) => terms[Number(name.slice(5))] ?? name) : [];
  if ("consistent" in claim)
    return answer.result === "sat"
      ? { status: "verified", check, detail: `all hold with ${answer.model}` }
      : { status: "refuted", check, witness: `these contradict each other: ${core.join("; ")}` };
  if (answer.result === "sat") return { status: "refuted", check, witness: `counter-example: ${answer.model}` };
  if (!answer.core.includes(GOAL)) return { status: "verified", check, detail: `the premises contradict each other: ${core.join("; ")}` };
  return { status: "verified", check, detail: core.length === 0 ? "true whatever holds" : `follows from: ${core.join("; ")}` };
}
