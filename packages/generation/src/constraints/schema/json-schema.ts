import type { Tokenizer } from "@weft/tokenizers";
import type { Constraint } from "../constraint.js";
import { Grammar } from "../grammar.js";
import { type ConstraintOptions, TokenConstraint } from "../token-constraint.js";
import { compileSchema } from "./compile-schema.js";
import type { JsonSchema } from "./schema-value.js";

/**
 * JSON that satisfies a schema (draft 2020-12): members in the order of the schema, a space at most behind `,` and `:`, and none elsewhere. `true` is any JSON.
 * @throws ConfigError kinds `constraint-schema` (which names the keyword that is not supported, and its place), `constraint-pattern`, `limit`; CapabilityError kind
 * `no-token-bytes`
 */
export function jsonSchema(schema: JsonSchema, tokenizer: Tokenizer, options: ConstraintOptions = {}): Constraint {
  const grammar = new Grammar();
  return new TokenConstraint(grammar, compileSchema(grammar, schema), tokenizer, options);
}
