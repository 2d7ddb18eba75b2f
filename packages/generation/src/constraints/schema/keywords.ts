import { below, isObject, type JsonType, listOf, type Place, resolve, schemaError, TYPES, typeOf } from "./schema-value.js";

/** What says nothing about values. */
const ANNOTATIONS: ReadonlySet<string> = new Set(
  "$schema $id $comment $defs definitions title description default examples example deprecated readOnly writeOnly".split(" "),
);

/** Keywords that are about values of one type. */
const BY_TYPE: { readonly [keyword: string]: JsonType } = {
  properties: "object",
  required: "object",
  additionalProperties: "object",
  items: "array",
  prefixItems: "array",
  minItems: "array",
  maxItems: "array",
  minLength: "string",
  maxLength: "string",
  pattern: "string",
  format: "string",
  minimum: "integer",
  maximum: "integer",
  exclusiveMinimum: "integer",
  exclusiveMaximum: "integer",
};
/** Keywords that say everything: nothing but annotations may stand beside them (and `type` beside enumerations). */
const WHOLE = ["$ref", "anyOf", "oneOf", "allOf", "enum", "const"] as const;
export type WholeKeyword = (typeof WHOLE)[number];

/** What a schema says, by its keywords. */
export interface Keywords {
  readonly types: readonly JsonType[];
  readonly whole: WholeKeyword | undefined;
}

/**
 * The types that a schema allows, and the keyword that says all of it, if there is one. Without `type`, it is the type that the keywords are about.
 * @throws ConfigError kind `constraint-schema` for keywords that are not supported, with their place
 */
export function keywordsOf(at: Place): Keywords {
  if (!isObject(at.schema)) throw schemaError(at.pointer, `expected an object, true or false, got ${JSON.stringify(at.schema)}`);
  const { schema } = at;
  const names = Object.keys(schema).filter((name) => schema[name] !== undefined && !ANNOTATIONS.has(name));
  for (const name of names)
    if (name !== "type" && !Object.hasOwn(BY_TYPE, name) && !(WHOLE as readonly string[]).includes(name))
      throw schemaError(below(at, name).pointer, `the keyword ${name} is not supported`);
  const whole = WHOLE.find((name) => names.includes(name));
  const beside = whole && names.find((name) => name !== whole && !(name === "type" && (whole === "enum" || whole === "const")));
  if (beside !== undefined)
    throw schemaError(below(at, beside).pointer, `the keyword ${beside} beside ${whole} is not supported`, `move it into ${whole}`);
  const about = new Set(names.flatMap((name) => BY_TYPE[name] ?? []));
  const types = schema.type === undefined ? (about.size > 0 ? [...about] : TYPES) : typesOf(below(at, "type"));
  for (const name of names) {
    const type = BY_TYPE[name];
    if (type === undefined) continue;
    if (type === "integer" && types.includes("number"))
      throw schemaError(below(at, name).pointer, `the keyword ${name} is supported for integers only`);
    // A keyword about another type than the schema's is true of all its values.
  }
  return { types, whole };
}

function typesOf(at: Place): readonly JsonType[] {
  const list = Array.isArray(at.schema) ? (at.schema as unknown[]) : [at.schema];
  for (const type of list)
    if (!TYPES.includes(type as JsonType))
      throw schemaError(at.pointer, `${JSON.stringify(type)} is no type; there are ${TYPES.join(", ")}`);
  return list as JsonType[];
}

/** The values that `enum` and `const` allow. */
export function valuesOf(at: Place, { types, whole }: Keywords): readonly unknown[] {
  const values = whole === "const" ? [below(at, "const").schema] : (below(at, "enum").schema as readonly unknown[]);
  if (!Array.isArray(values) || values.length === 0) throw schemaError(below(at, "enum").pointer, "expected a list that is not empty");
  return values.filter((value) => types.includes(typeOf(value)) || (typeOf(value) === "integer" && types.includes("number")));
}

/** Whether it is certain that no value satisfies both of two schemas. @param budget how many comparisons are left; beyond them nothing is certain */
export function disjoint(root: unknown, a: Place, b: Place, budget: { left: number }): boolean {
  if (budget.left-- <= 0) return false;
  if (a.schema === false || b.schema === false) return true;
  if (a.schema === true || b.schema === true) return false;
  const [first, second] = [keywordsOf(a), keywordsOf(b)];
  for (const [{ whole }, at, other] of [
    [first, a, b],
    [second, b, a],
  ] as const) {
    if (whole === "$ref") return disjoint(root, resolve(root, below(at, "$ref")), other, budget);
    if (whole === "anyOf" || whole === "oneOf")
      return listOf(below(at, whole)).every((_, i) => disjoint(root, below(at, whole, i), other, budget));
    if (whole === "allOf") return disjoint(root, below(at, "allOf", 0), other, budget);
  }
  const values = (at: Place, words: Keywords): readonly string[] | undefined =>
    words.whole ? valuesOf(at, words).map((value) => JSON.stringify(value)) : undefined;
  const [ours, theirs] = [values(a, first), values(b, second)];
  if (ours && theirs) return !ours.some((value) => theirs.includes(value));
  const typesIn = (words: Keywords, list: readonly string[] | undefined): readonly JsonType[] =>
    list?.map((value) => typeOf(JSON.parse(value))) ?? words.types;
  const wide = (types: readonly JsonType[]): ReadonlySet<string> => new Set(types.map((type) => (type === "integer" ? "number" : type)));
  const common = [...wide(typesIn(first, ours))].filter((type) => wide(typesIn(second, theirs)).has(type));
  if (common.length === 0) return true;
  if (common.join() !== "object" || ours || theirs) return false;
  const required = (at: Place): readonly unknown[] => {
    const names = below(at, "required").schema;
    return Array.isArray(names) ? names : [];
  };
  return required(a).some(
    (name) =>
      typeof name === "string" &&
      required(b).includes(name) &&
      [a, b].every((at) => below(at, "properties", name).schema !== undefined) &&
      disjoint(root, below(a, "properties", name), below(b, "properties", name), budget),
  );
}
