import { checkArithmetic } from "./arithmetic.js";
import type { Claim, SmtClaim, Verdict } from "./claim.js";
import { checkDate } from "./dates.js";
import { checkPropositional } from "./propositional.js";
import { checkSchema } from "./schema.js";
import { checkSet } from "./sets.js";

/**
 * Checks a claim of any kind but `smt`, at once and on this thread. {@link Verifier} does it aside, with a deadline, and knows `smt` as well.
 * @throws ConfigError kinds `calculation`, `logic`, `limit`, `constraint-schema` where the claim means nothing or is too large to check
 */
export function checkClaim(claim: Exclude<Claim, SmtClaim>): Verdict {
  switch (claim.type) {
    case "arithmetic":
      return checkArithmetic(claim);
    case "propositional":
      return checkPropositional(claim);
    case "date":
      return checkDate(claim);
    case "set":
      return checkSet(claim);
    case "schema":
      return checkSchema(claim);
  }
}
