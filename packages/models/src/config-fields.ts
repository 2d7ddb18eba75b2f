import { parseStrictJson, plainJson } from "@weft/io-safetensors";
import { ConfigError, type WeftErrorKind } from "@weft/tensor-core";

/** A parsed `config.json`. */
export type ConfigJson = { readonly [field: string]: unknown };

/** A `config.json` as its text or bytes, or parsed already. @throws ConfigError kind `config-json` */
export function parseConfig(config: ConfigJson | string | Uint8Array, file = "config.json"): ConfigJson {
  if (typeof config !== "string" && !(config instanceof Uint8Array)) return config;
  const json = plainJson(parseStrictJson(typeof config === "string" ? new TextEncoder().encode(config) : config, { file }));
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new ConfigError(`${file}: not a JSON object`, { kind: "config-json", file });
  return json as ConfigJson;
}

/** Reads fields of a JSON object by type; a field that is absent or null takes the default, and one without a default must be there. */
export interface ConfigFields {
  /** A positive integer. */
  integer(name: string, otherwise?: number): number;
  /** A finite number above 0. */
  positive(name: string, otherwise?: number): number;
  /** true or false; false if it is not there. */
  flag(name: string, otherwise?: boolean): boolean;
  /** A text. */
  text(name: string, otherwise?: string): string;
  /** A field that has only one value that is supported. */
  same(name: string, expected: string | number | boolean): void;
}

/**
 * @param where how messages call the object
 * @throws ConfigError kind `config-schema` (or `unsupported-model` from `same`), naming the field
 */
export function fieldsOf(json: ConfigJson, where: string): ConfigFields {
  const refuse = (name: string, expected: string, kind: WeftErrorKind<"config"> = "config-schema"): never => {
    throw new ConfigError(`${where}: ${name} is ${JSON.stringify(json[name])}, expected ${expected}`, { kind });
  };
  const number = (name: string, otherwise: number | undefined, holds: (x: number) => boolean, expected: string): number => {
    const value = json[name] ?? otherwise;
    return typeof value === "number" && holds(value) ? value : refuse(name, expected);
  };
  return {
    integer: (name, otherwise) => number(name, otherwise, (x) => Number.isSafeInteger(x) && x > 0, "a positive integer"),
    positive: (name, otherwise) => number(name, otherwise, (x) => Number.isFinite(x) && x > 0, "a number above 0"),
    flag(name, otherwise = false) {
      const value = json[name] ?? otherwise;
      return typeof value === "boolean" ? value : refuse(name, "true or false");
    },
    text(name, otherwise) {
      const value = json[name] ?? otherwise;
      return typeof value === "string" ? value : refuse(name, "a text");
    },
    same(name, expected) {
      if ((json[name] ?? expected) !== expected) refuse(name, JSON.stringify(expected), "unsupported-model");
    },
  };
}

/** @throws ConfigError if a field's number is not a multiple of another's */
export function assertMultiple(json: ConfigJson, [name, value]: readonly [string, number], [of, unit]: readonly [string, number]): void {
  if (value % unit !== 0)
    throw new ConfigError(`config.json: ${name} is ${json[name] ?? value}, not a multiple of ${of}, ${unit}`, { kind: "config-schema" });
}
