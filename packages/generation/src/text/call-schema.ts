import type { CallFormat } from "@weft/tokenizers/chat";
import type { JsonSchema } from "../constraints/schema/schema-value.js";

/** The exchange format of tools: that of OpenAI's interface, which chat templates take as `tools`. */
export interface FunctionTool {
  readonly type: "function";
  readonly function: { readonly name: string; readonly description?: string; readonly parameters?: JsonSchema };
}

/** The JSON of a call of one of these tools: `{"name", "arguments"}`. References within the tools' schemas are led to where they lie in this one. */
export function callSchema(tools: readonly FunctionTool[], argumentsKey: CallFormat["argumentsKey"]): JsonSchema {
  return {
    anyOf: tools.map(({ function: { name, parameters = { type: "object" } } }, i) => ({
      type: "object",
      properties: { name: { const: name }, [argumentsKey]: moved(parameters, `#/anyOf/${i}/properties/${argumentsKey}`) },
      required: ["name", argumentsKey],
      additionalProperties: false,
    })),
  };
}

/** A schema whose references count from another root. */
function moved(schema: unknown, root: string): unknown {
  if (Array.isArray(schema)) return schema.map((one: unknown) => moved(one, root));
  if (typeof schema !== "object" || schema === null) return schema;
  return Object.fromEntries(
    Object.entries(schema).map(([name, value]) => [
      name,
      name === "$ref" && typeof value === "string" && value.startsWith("#")
        ? root + value.slice(1)
        : name === "const" || name === "enum"
          ? value
          : moved(value, root),
    ]),
  );
}
