import type { JsonSchema } from "@weft/generation";

/** Both sides of a relation: `2^1000 mod 7 = 2`, `36 km/h = 10 m/s`, `1/3 ≈ 0.333`, `sqrt(2) < 1.5`; chains as `1 < 2 < 3`. `≈` is true within half a unit of the last digit on its right; `within [a, b]` of intervals. */
export interface ArithmeticClaim {
  readonly type: "arithmetic";
  readonly claim: string;
}

/** That a formula follows from others, or that formulas can all be true: of variables with `!`, `&`, `|`, `xor`, `->`, `<->`, `true`, `false`. */
export type PropositionalClaim =
  | { readonly type: "propositional"; readonly premises?: readonly string[]; readonly follows: string }
  | { readonly type: "propositional"; readonly consistent: readonly string[] };

/** The same of terms of SMT-LIB 2: numbers, arrays, functions, quantifiers. Declarations are commands: `(declare-const x Int)`. */
export type SmtClaim =
  | { readonly type: "smt"; readonly declarations?: string; readonly premises?: readonly string[]; readonly follows: string }
  | { readonly type: "smt"; readonly declarations?: string; readonly consistent: readonly string[] };

/** `2024-02-28 + 1 day = 2024-02-29`, `2024-03-01 - 2024-01-01 = 60 days`, `weekday(2024-02-29) = Thursday`, `leap(2024) = true`. */
export interface DateClaim {
  readonly type: "date";
  readonly claim: string;
}

/** `{1, 2} union {3} = {1, 2, 3}`, `2 in {1, 2}`, `{a} subset {a, b}`, `size({a, b}) = 2`. */
export interface SetClaim {
  readonly type: "set";
  readonly claim: string;
}

/** That a value satisfies a JSON schema: the answer's form. */
export interface SchemaClaim {
  readonly type: "schema";
  readonly value: unknown;
  readonly schema: JsonSchema;
}

/** What can be verified. */
export type Claim = ArithmeticClaim | PropositionalClaim | SmtClaim | DateClaim | SetClaim | SchemaClaim;

/**
 * What became of a claim: `verified` by a check that ran; `refuted` with what shows it (both values, a counter-example, formulas that contradict each other);
 * `unknown` where no check came to an end.
 */
export type Verdict =
  | { readonly status: "verified"; readonly check: string; readonly detail?: string }
  | { readonly status: "refuted"; readonly check: string; readonly witness: string }
  | { readonly status: "unknown"; readonly reason: string };

// Lengths are bounded by the tokens of an answer: automata write counts out.
const text = { type: "string" } as const;
const texts = { type: "array", items: text } as const;
const object = (type: string, properties: object, required: readonly string[]): object => ({
  type: "object",
  properties: { type: { const: type }, ...properties },
  required: ["type", ...required],
  additionalProperties: false,
});

/** Of claims that a model writes: every kind but `schema`, which is of the caller's. */
export const CLAIM_SCHEMA: JsonSchema = {
  anyOf: [
    object("arithmetic", { claim: text }, ["claim"]),
    object("propositional", { premises: texts, follows: text }, ["follows"]),
    object("propositional", { consistent: texts }, ["consistent"]),
    object("smt", { declarations: text, premises: texts, follows: text }, ["follows"]),
    object("smt", { declarations: text, consistent: texts }, ["consistent"]),
    object("date", { claim: text }, ["claim"]),
    object("set", { claim: text }, ["claim"]),
  ],
};
