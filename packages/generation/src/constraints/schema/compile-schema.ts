import { constraintError } from "../constraint-error.js";
import { call, choice, EMPTY, type Grammar, literal, NEVER, optional, type Part, repeat, type Rule, sequence } from "../grammar.js";
import { MAX_COMPARISONS, MAX_CONSTRAINT_DEPTH } from "../limits.js";
import { parsePattern } from "../pattern/parse-pattern.js";
import { searchPart } from "../pattern/pattern-part.js";
import { FORMATS } from "./formats.js";
import { integersPart } from "./integers.js";
import { BOOLEAN, constantPart, type JsonRules, jsonRules, list, member, NULL, NUMBER, separator } from "./json-grammar.js";
import { disjoint, type Keywords, keywordsOf, valuesOf } from "./keywords.js";
import { below, isObject, type JsonSchema, type JsonType, listOf, numberOf, type Place, resolve, schemaError } from "./schema-value.js";
import { characterInString, otherString, quoted, stringPart } from "./strings.js";

/**
 * The texts that satisfy a schema, as a rule of a grammar.
 * @throws ConfigError kinds `constraint-schema`, `constraint-pattern`, `limit`
 */
export function compileSchema(grammar: Grammar, schema: JsonSchema): Rule {
  const compiler = new Compiler(grammar, schema);
  const root = grammar.declare();
  grammar.fill(root, compiler.whole());
  compiler.finish();
  return root;
}

class Compiler {
  readonly #grammar: Grammar;
  readonly #root: unknown;
  readonly #json: JsonRules;
  /** What `$ref`s name, by their pointers; each is one rule, so that it may name itself. */
  readonly #rules = new Map<string, Rule>();
  readonly #unfilled: { readonly rule: Rule; readonly at: Place }[] = [];
  readonly #comparisons = { left: MAX_COMPARISONS };
  #depth = 0;

  constructor(grammar: Grammar, root: unknown) {
    this.#grammar = grammar;
    this.#root = root;
    this.#json = jsonRules(grammar);
  }

  whole(): Part {
    return this.#value({ schema: this.#root, pointer: "" });
  }

  /** Fills the rules that were named. */
  finish(): void {
    for (let next = this.#unfilled.pop(); next; next = this.#unfilled.pop()) this.#grammar.fill(next.rule, this.#value(next.at));
  }

  #value(at: Place): Part {
    if (at.schema === true) return this.#json.value;
    if (at.schema === false) return NEVER;
    if (++this.#depth > MAX_CONSTRAINT_DEPTH)
      throw constraintError("limit", `schema ${at.pointer}: nested more than ${MAX_CONSTRAINT_DEPTH} deep`);
    const words = keywordsOf(at);
    const part = words.whole ? this.#whole(at, words) : this.#byType(at, words);
    this.#depth--;
    return part;
  }

  #whole(at: Place, words: Keywords): Part {
    const options = (): readonly Place[] => listOf(below(at, words.whole!)).map((_, i) => below(at, words.whole!, i));
    switch (words.whole!) {
      case "$ref":
        return call(this.#ruleOf(resolve(this.#root, below(at, "$ref"))));
      case "anyOf":
        return choice(...options().map((option) => this.#value(option)));
      case "oneOf": {
        const all = options();
        for (const [i, one] of all.entries())
          for (const other of all.slice(0, i))
            if (!disjoint(this.#root, one, other, this.#comparisons))
              throw schemaError(
                one.pointer,
                "oneOf is supported where no value satisfies two of its schemas, which is not certain here",
                "give them a const property that differs, or write anyOf",
              );
        return choice(...all.map((option) => this.#value(option)));
      }
      case "allOf": {
        const all = options();
        if (all.length > 1) throw schemaError(below(at, "allOf").pointer, "the keyword allOf is supported with one schema only");
        return this.#value(all[0]!);
      }
      case "const":
      case "enum": {
        const values = valuesOf(at, words);
        return values.length === 0 ? NEVER : choice(...values.map((value) => constantPart(value)));
      }
    }
  }

  #ruleOf(at: Place): Rule {
    let rule = this.#rules.get(at.pointer);
    if (!rule) {
      rule = this.#grammar.declare();
      this.#rules.set(at.pointer, rule);
      this.#unfilled.push({ rule, at });
    }
    return rule;
  }

  #byType(at: Place, { types }: Keywords): Part {
    // Every integer is a number.
    const own = types.filter((type) => !(type === "integer" && types.includes("number")));
    return choice(...own.map((type) => this.#ofType(type, at)));
  }

  #ofType(type: JsonType, at: Place): Part {
    switch (type) {
      case "null":
        return NULL;
      case "boolean":
        return BOOLEAN;
      case "number":
        return NUMBER;
      case "integer":
        return integersPart(
          Math.max(numberOf(below(at, "minimum"), false) ?? -Infinity, above(numberOf(below(at, "exclusiveMinimum"), false))),
          Math.min(numberOf(below(at, "maximum"), false) ?? Infinity, -above(negated(numberOf(below(at, "exclusiveMaximum"), false)))),
        );
      case "string":
        return this.#string(at);
      case "array":
        return this.#array(at);
      case "object":
        return this.#object(at);
    }
  }

  #string(at: Place): Part {
    const given = ["pattern", "format", "minLength", "maxLength"].filter((name) => below(at, name).schema !== undefined);
    if (given.length === 0) return this.#json.string;
    const [min, max] = [numberOf(below(at, "minLength"), true) ?? 0, numberOf(below(at, "maxLength"), true) ?? Infinity];
    if (given[0] !== "pattern" && given[0] !== "format") return min > max ? NEVER : stringPart(min, max);
    if (given.length > 1)
      throw schemaError(
        below(at, given[1]!).pointer,
        `the keyword ${given[1]} beside ${given[0]} is not supported`,
        "say it in the pattern",
      );
    const { schema: value, pointer } = below(at, given[0]);
    const source = given[0] === "pattern" ? value : FORMATS.get(value as string);
    if (typeof source !== "string")
      throw schemaError(
        pointer,
        given[0] === "pattern"
          ? "expected a pattern"
          : `the format ${JSON.stringify(value)} is not supported; supported are ${[...FORMATS.keys()].join(", ")}`,
      );
    return quoted(searchPart(parsePattern(source, `schema ${pointer}`), characterInString));
  }

  #array(at: Place): Part {
    const prefix = below(at, "prefixItems");
    const first = prefix.schema === undefined ? [] : listOf(prefix).map((_, i) => this.#value(below(prefix, i)));
    const [min, max] = [numberOf(below(at, "minItems"), true) ?? 0, numberOf(below(at, "maxItems"), true) ?? Infinity];
    if (min > max) return NEVER;
    const items = below(at, "items");
    // Behind a prefix there is nothing more, unless the schema says what.
    const open = items.schema !== undefined ? items.schema !== false : first.length === 0 || min > first.length;
    const rest = open ? (items.schema === undefined ? this.#json.value : this.#value(items)) : undefined;
    if (!rest && min > first.length) return NEVER;
    if (first.length === 0) return sequence(literal("["), rest ? list(rest, min, max) : EMPTY, literal("]"));
    // From the last item to the first: what may follow each.
    const heads = first.slice(0, max);
    const more = max - heads.length;
    let tail = rest && more > 0 ? repeat(sequence(separator(","), rest), Math.max(0, min - heads.length), more) : EMPTY;
    for (let i = heads.length - 1; i >= 0; i--) {
      const item = sequence(...(i > 0 ? [separator(",")] : []), heads[i]!, tail);
      tail = i >= min ? optional(item) : item;
    }
    return sequence(literal("["), tail, literal("]"));
  }

  #object(at: Place): Part {
    const [properties, required, additional] = [below(at, "properties"), below(at, "required"), below(at, "additionalProperties")];
    if (properties.schema !== undefined && !isObject(properties.schema))
      throw schemaError(properties.pointer, "expected an object of schemas");
    const listed = Object.keys(properties.schema ?? {});
    const needed = (required.schema as readonly unknown[] | undefined) ?? [];
    if (!Array.isArray(needed) || needed.some((name) => typeof name !== "string"))
      throw schemaError(required.pointer, "expected a list of names");
    if (properties.schema === undefined && needed.length === 0 && (additional.schema ?? true) === true) return this.#json.object;
    // Names that are required, and not described, may have any value.
    const names = [...listed, ...new Set((needed as string[]).filter((name) => !Object.hasOwn(properties.schema ?? {}, name)))];
    const other = additional.schema === undefined ? this.#json.value : this.#value(additional);
    const known = new Set(listed);
    const valueOf = (name: string): Part => (known.has(name) ? this.#value(below(properties, name)) : other);
    const members = names.map((name) => ({ part: member(literal(JSON.stringify(name)), valueOf(name)), needed: needed.includes(name) }));
    const open = (additional.schema ?? properties.schema === undefined) !== false;
    const others = open ? member(names.length === 0 ? this.#json.string : otherString(names), other) : undefined;
    return sequence(literal("{"), membersPart(members, others), literal("}"));
  }
}

/** The least integer above a number. */
const above = (value: number | undefined): number => (value === undefined ? -Infinity : Math.floor(value) + 1);
const negated = (value: number | undefined): number | undefined => (value === undefined ? undefined : -value);

/** Members in their order, those that are not needed present or not, then any number of others; commas between those that are there. */
function membersPart(members: readonly { readonly part: Part; readonly needed: boolean }[], others: Part | undefined): Part {
  return (grammar, from) => {
    const end = grammar.node();
    /** Where nothing, and where something, has been written so far. */
    let [none, some]: [number | undefined, number | undefined] = [from, undefined];
    for (const { part, needed } of members) {
      const start = grammar.node();
      if (none !== undefined) grammar.empty[none]!.push(start);
      if (some !== undefined) grammar.empty[separator(",")(grammar, some)]!.push(start);
      const after = grammar.node();
      grammar.empty[part(grammar, start)]!.push(after);
      if (needed) none = undefined;
      else if (some !== undefined) grammar.empty[some]!.push(after);
      some = after;
    }
    if (others) {
      const [start, after] = [grammar.node(), grammar.node()];
      if (none !== undefined) grammar.empty[none]!.push(start);
      if (some !== undefined) {
        grammar.empty[separator(",")(grammar, some)]!.push(start);
        grammar.empty[some]!.push(end);
      }
      grammar.empty[others(grammar, start)]!.push(after);
      grammar.empty[separator(",")(grammar, after)]!.push(start);
      some = after;
    }
    if (none !== undefined) grammar.empty[none]!.push(end);
    if (some !== undefined) grammar.empty[some]!.push(end);
    return end;
  };
}
