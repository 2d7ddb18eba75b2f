import { constraintError } from "../constraint-error.js";
import { byteRange, choice, call, type Grammar, literal, optional, type Part, repeat, type Rule, sequence } from "../grammar.js";
import { MAX_CONSTRAINT_DEPTH } from "../limits.js";
import { integersPart, MAX_DIGITS, MAX_INTEGER } from "./integers.js";
import { stringPart } from "./strings.js";

const digits = (min: number, max: number): Part => repeat(byteRange(0x30, 0x39), min, max);

export const NUMBER: Part = sequence(
  optional(literal("-")),
  integersPart(0, MAX_INTEGER),
  optional(sequence(literal("."), digits(1, MAX_DIGITS))),
  optional(sequence(choice(literal("e"), literal("E")), optional(choice(literal("+"), literal("-"))), digits(1, 2))),
);
export const BOOLEAN: Part = choice(literal("true"), literal("false"));
export const NULL: Part = literal("null");

/** A comma or colon: a space may follow, and no other space is anywhere. */
export const separator = (sign: "," | ":"): Part => sequence(literal(sign), optional(literal(" ")));

/** Items between commas, as many as there may be. */
export const list = (item: Part, min: number, max: number): Part => {
  if (max === 0) return (_, from) => from;
  const more = sequence(item, repeat(sequence(separator(","), item), Math.max(0, min - 1), max - 1));
  return min === 0 ? optional(more) : more;
};

/** A member of an object. */
export const member = (key: Part, value: Part): Part => sequence(key, separator(":"), value);

/** Parts between commas. */
const joined = (parts: readonly Part[]): Part => sequence(...parts.flatMap((part, i) => (i === 0 ? [part] : [separator(","), part])));

/** A value, as `JSON.stringify` writes it. */
export function constantPart(value: unknown, depth: number = 0): Part {
  if (depth > MAX_CONSTRAINT_DEPTH) throw constraintError("limit", `a constant value nested more than ${MAX_CONSTRAINT_DEPTH} deep`);
  const inner = (one: unknown): Part => constantPart(one, depth + 1);
  if (Array.isArray(value)) return sequence(literal("["), joined(value.map(inner)), literal("]"));
  if (typeof value !== "object" || value === null) return literal(JSON.stringify(value));
  const members = Object.entries(value).map(([name, one]) => member(literal(JSON.stringify(name)), inner(one)));
  return sequence(literal("{"), joined(members), literal("}"));
}

/** JSON's own rules: any string, any value. */
export interface JsonRules {
  readonly string: Part;
  readonly object: Part;
  readonly array: Part;
  readonly value: Part;
}

export function jsonRules(grammar: Grammar): JsonRules {
  const [string, value]: [Rule, Rule] = [grammar.declare(), grammar.declare()];
  grammar.fill(string, stringPart());
  const object = sequence(literal("{"), list(member(call(string), call(value)), 0, Infinity), literal("}"));
  const array = sequence(literal("["), list(call(value), 0, Infinity), literal("]"));
  grammar.fill(value, choice(object, array, call(string), NUMBER, BOOLEAN, NULL));
  return { string: call(string), object, array, value: call(value) };
}
