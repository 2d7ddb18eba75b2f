import type { Tokenizer } from "@weft/tokenizers";
import { oneOf } from "./code-points.js";
import type { Constraint } from "./constraint.js";
import { choice, Grammar } from "./grammar.js";
import { parsePattern } from "./pattern/parse-pattern.js";
import { patternPart } from "./pattern/pattern-part.js";
import { type ConstraintOptions, TokenConstraint } from "./token-constraint.js";

/**
 * Texts that a regular expression matches as a whole.
 * @param pattern of ECMAScript with flag `u`, without lookaround, back references and `\b`; anchors at its ends change nothing
 * @throws ConfigError kinds `constraint-pattern`, `limit`; CapabilityError kind `no-token-bytes`
 */
export function regex(pattern: string, tokenizer: Tokenizer, options: ConstraintOptions = {}): Constraint {
  const grammar = new Grammar();
  const root = grammar.declare();
  grammar.fill(root, choice(...parsePattern(pattern, "pattern").map(({ body }) => patternPart(body, oneOf))));
  return new TokenConstraint(grammar, root, tokenizer, options);
}
