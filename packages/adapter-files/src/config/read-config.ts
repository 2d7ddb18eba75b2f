import { ConfigError, type FieldTable, type MethodTable, readFields } from "@weft/tensor-core";
import { COMMON_FIELDS } from "./common-fields.js";
import { type JsonObject, parseConfigJson } from "./json.js";

/** A checked adapter config. */
export interface AdapterConfig {
  readonly peftType: string;
  /** The fields of its method, by which it is written. */
  readonly fields: FieldTable;
  /**
   * The values of all fields that the method has (with PEFT's defaults) and of the common ones, in camelCase.
   * Objects keyed by module patterns have no prototype.
   */
  readonly values: { readonly [field: string]: unknown };
  /** Fields that the method does not have, as read: they are written again. */
  readonly unknown: ReadonlyMap<string, unknown>;
}

/** What a config is read by. */
export interface ReadConfigOptions {
  /** What `peft_type` may be. */
  readonly methods: MethodTable;
  /** Name of the file for messages. */
  readonly file?: string;
}

/**
 * Reads an `adapter_config.json`. Absent fields get PEFT's defaults; unknown ones are kept; what is there must have the right type
 * and range (`r` an integer of 1…65536, finite alpha, dropout in [0, 1), a `peft_type` of the table).
 *
 * @param source bytes or text of the file, or an object in PEFT's spelling or in camelCase
 * @throws ConfigError kind `config-schema`; from the JSON reader `config-json`, `duplicate-key`, `limit`
 */
export function readAdapterConfig(
  source: string | Uint8Array | { readonly [field: string]: unknown },
  { methods, file }: ReadConfigOptions,
): AdapterConfig {
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
    throw new ConfigError(`peft_type ${JSON.stringify(peftType)} is none of the methods that are known here`, {
      kind: "config-schema",
      hint: `known: ${[...methods.keys()].sort().join(", ")}; --methods adds others (methods in the library)`,
      ...where,
    });

  const known = { ...COMMON_FIELDS, ...method.fields };
  const values = readFields(known, root, file);
  const seen = new Set([...Object.keys(known), ...Object.keys(values), "peft_type", "peftType", "runtime_config"]);
  return { peftType, fields: method.fields, values, unknown: new Map(Object.entries(root).filter(([name]) => !seen.has(name))) };
}
