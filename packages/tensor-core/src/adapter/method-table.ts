import { ConfigError } from "../errors.js";
import type { PromptConfigFields } from "../prompt/prompt-config.js";
import type { PromptMethod } from "../prompt/prompt-method.js";
import type { FieldTable } from "./config.js";
import type { AdapterMethod } from "./method.js";

/** A method in a table: one that changes layers, or one that stands in front of the input. */
export interface MethodEntry {
  /** How the names of the method's parameters begin in a file; `""` for prompt methods, whose file holds `prompt_embeddings`. */
  readonly prefix: string;
  /** The fields of its config. */
  readonly fields: FieldTable;
  readonly method?: AdapterMethod<never>;
  readonly prompt?: PromptMethod<PromptConfigFields>;
}

/** The methods that a program knows, by `peft_type`. A Map, as the type comes from a file. */
export type MethodTable = ReadonlyMap<string, MethodEntry>;

/** A definition of either kind, whatever its config. */
export type MethodDefinition =
  | Pick<AdapterMethod<never>, "name" | "prefix" | "fields" | "keys" | "parameters">
  | Pick<PromptMethod<never>, "name" | "fields" | "kind" | "saved">;

/**
 * A table of methods: what can be opened, put on a model, merged, saved. Bundlers leave out the methods that no table names.
 *
 * ```ts
 * const methods = methodTable(LORA, TRAINABLE_TOKENS); // or methodTable(PEFT_METHODS, MY_METHOD)
 * ```
 * @param parts definitions, and tables of them
 * @throws ConfigError kind `duplicate-method` if two definitions have one name
 */
export function methodTable(...parts: readonly (MethodDefinition | MethodTable)[]): MethodTable {
  const table = new Map<string, MethodEntry>();
  for (const [name, entry] of parts.flatMap((part) => ("name" in part ? [[part.name, entryOf(part)] as const] : [...part]))) {
    const before = table.get(name);
    if (before && (before.method ?? before.prompt) !== (entry.method ?? entry.prompt))
      throw new ConfigError(`two methods are called ${name}`, {
        kind: "duplicate-method",
        hint: "a method of one's own needs a name of its own, which is the peft_type of its files",
      });
    table.set(name, entry);
  }
  return table;
}

function entryOf(definition: MethodDefinition): MethodEntry {
  if ("kind" in definition)
    return { prefix: "", fields: definition.fields, prompt: definition as unknown as PromptMethod<PromptConfigFields> };
  return { prefix: definition.prefix, fields: definition.fields, method: definition as AdapterMethod<never> };
}
