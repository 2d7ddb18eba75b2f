import { ConfigError, type FieldTable, readFields } from "@weft/tensor-core";
import { type MethodTable, PEFT_METHODS } from "../methods.js";
import { COMMON_FIELDS, TARGET_FIELDS } from "./common-fields.js";
import { type JsonObject, parseConfigJson } from "./json.js";

/** A checked adapter config. */
export interface AdapterConfig {
  readonly peftType: string;
  /**
   * The values of all fields that the method has (with PEFT's defaults) and of the common ones, in camelCase.
   * Objects keyed by module patterns have no prototype.
   */
  readonly values: { readonly [field: string]: unknown };
  /** Fields that the method's table lacks (all but the common ones if it has no table), as read: they are written again. */
  readonly unknown: ReadonlyMap<string, unknown>;
}

export interface ReadConfigOptions {
  readonly methods?: MethodTable;
  /** Name of the file for messages. */
  readonly file?: string;
}

/**
 * Reads an `adapter_config.json`. Absent fields get PEFT's defaults; unknown ones are kept; what is there must have the right type
 * and range (`r` an integer of 1…65536, finite alpha, dropout in [0, 1), a `peft_type` that PEFT has).
 *
 * @param source bytes or text of the file, or an object in PEFT's spelling or in camelCase
 * @throws ConfigError kind `config-schema`; from the JSON reader `config-json`, `duplicate-key`, `limit`
 */
export function readAdapterConfig(
  source: string | Uint8Array | { readonly [field: string]: unknown },
  options: ReadConfigOptions = {},
): AdapterConfig {
  const { methods = PEFT_METHODS, file } = options;
  const where = file ? { file } : {};
  const root =
    typeof source === "string" || source instanceof Uint8Array
      ? parseConfigJson(source, file)
      : Object.assign(Object.create(null) as JsonObject, source);
  const peftType = root["peft_type"] ?? root["peftType"];
  if (typeof peftType !== "string") {
    const found = peftType === undefined ? "missing" : JSON.stringify(peftType);
    throw new ConfigError(`peft_type is ${found}, expected the name of a method`, {
      kind: "config-schema",
      hint: "is this the adapter_config.json of a PEFT adapter?",
      ...where,
    });
  }
  const method = methods.get(peftType);
  if (!method)
    throw new ConfigError(`peft_type ${JSON.stringify(peftType)} is not a method of PEFT`, {
      kind: "config-schema",
      hint: `known: ${[...methods.keys()].sort().join(", ")}`,
      ...where,
    });

  const present = (table: FieldTable): FieldTable =>
    Object.fromEntries(Object.entries(table).filter(([name]) => Object.hasOwn(root, name)));
  const known = { ...COMMON_FIELDS, ...method.fields };
  const values = readFields(known, root, file);
  const seen = new Set([...Object.keys(known), ...Object.keys(values), "peft_type", "peftType", "runtime_config"]);
  if (!method.fields) Object.assign(values, readFields(present(TARGET_FIELDS), root, file));
  return { peftType, values, unknown: new Map(Object.entries(root).filter(([name]) => !seen.has(name))) };
}
