import { type Formula, parseFormula } from "../logic/formula.js";
import { type Assignment, satisfy, unsatisfiableCore } from "../logic/satisfy.js";
import type { PropositionalClaim, Verdict } from "./claim.js";

const check = "propositional";
const told = (assignment: Assignment): string =>
  assignment.size === 0 ? "it is so whatever holds" : [...assignment].map(([name, value]) => `${name} = ${value}`).join(", ");

/** Looks for values under which the premises hold and the claim does not. @throws ConfigError kinds `logic`, `limit` */
export function checkPropositional(claim: PropositionalClaim): Verdict {
  if ("consistent" in claim) {
    const formulas = claim.consistent.map((one) => parseFormula(one));
    const model = satisfy(formulas);
    if (model) return { status: "verified", check, detail: `all hold with ${told(model)}` };
    const core = unsatisfiableCore(formulas).map((place) => claim.consistent[place]!);
    return { status: "refuted", check, witness: `these contradict each other: ${core.join("; ")}` };
  }
  const { premises = [], follows } = claim;
  const formulas = [...premises, follows].map((one) => parseFormula(one));
  const denied: readonly Formula[] = [...formulas.slice(0, -1), { kind: "not", of: formulas.at(-1)! }];
  const counterExample = satisfy(denied);
  if (counterExample) return { status: "refuted", check, witness: `counter-example: ${told(counterExample)}` };
  const core = unsatisfiableCore(denied);
  const used = core.filter((place) => place < premises.length).map((place) => premises[place]!);
  if (!core.includes(premises.length))
    return { status: "verified", check, detail: `the premises contradict each other: ${used.join("; ")}` };
  return { status: "verified", check, detail: used.length === 0 ? "true whatever holds" : `follows from: ${used.join("; ")}` };
}
