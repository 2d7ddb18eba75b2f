import { checkClaim } from "../claims/check-claim.js";
import type { Claim, SmtClaim } from "../claims/claim.js";
import type { Engine } from "../executor/protocol.js";

/** Checks a claim; the verdict is JSON. */
export const CLAIMS: Engine = {
  run: async (claim) => ({ ok: true, content: JSON.stringify(checkClaim(claim as Exclude<Claim, SmtClaim>)) }),
};
