import { ConfigError } from "@weft/tensor-core";

/** An option that means nothing: what it is, and what is expected. */
export function optionError(name: string, value: unknown, expected: string): ConfigError {
  const got = typeof value === "number" ? String(value) : JSON.stringify(value);
  return new ConfigError(`${name} is ${got}, expected ${expected}`, { kind: "generation-option" });
}
