import { type Schema, Validator } from "@cfworker/json-schema";
import type { JsonSchema } from "@weft/generation";
import { ConfigError } from "@weft/tensor-core";

/**
 * What is wrong with a value by a JSON schema (draft 2020-12), with the place of each fault; nothing if all is right. The validator interprets the schema, so
 * that it works where code must not be made of texts.
 * @throws ConfigError kind `tool-schema` for a schema that is none
 */
export function schemaFaults(schema: JsonSchema, value: unknown): readonly string[] {
  let result;
  try {
    result = new Validator(schema as Schema | boolean, "2020-12", false).validate(value);
  } catch (cause) {
    throw new ConfigError(`the JSON schema cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`, {
      kind: "tool-schema",
      cause,
    });
  }
  // Faults of a whole whose parts have faults say nothing more.
  const faults = result.errors.filter(({ keyword }) => !["properties", "items", "$ref", "prefixItems"].includes(keyword));
  return faults.map(({ instanceLocation, error }) => `${instanceLocation}: ${error}`);
}
