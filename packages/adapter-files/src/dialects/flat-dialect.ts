import type { Component, Dialect, DialectKey, DialectName } from "./dialect.js";
import { type PrefixTable, prefixOf, splitPrefix } from "./prefixes.js";
import { FLAT_SUFFIXES, PEFT_LORA_SUFFIXES, splitSuffix, type SuffixTable } from "./suffixes.js";

/** Suffixes that are read behind flat names: diffusers' own converter leaves the magnitude under PEFT's name, and dots in front of it. */
const READ: SuffixTable = new Map([...PEFT_LORA_SUFFIXES, ...FLAT_SUFFIXES]);

/** The last parts of a path become flat, too. */
export const flatten = (path: string): string => path.replaceAll(".", "_");

/** Key schemes whose module names have no dots: `<prefix><path with _>.<parameter>`. */
export function flatDialect(
  name: DialectName,
  prefixes: PrefixTable,
  rest: Pick<Dialect, "example" | "includes" | "claims">,
): Dialect & { writeKey(component: Component, path: string, parameter: string): string | undefined } {
  return {
    name,
    ...rest,
    readKey(key): DialectKey | undefined {
      const suffix = splitSuffix(key, READ);
      const prefix = suffix && splitPrefix(suffix.module, prefixes);
      if (!suffix || !prefix) return undefined;
      const { component, path } = prefix;
      return { module: flatten(suffix.module), component, path: flatten(path), flat: true, parameter: suffix.parameter };
    },
    writeKey(component, path, parameter) {
      const prefix = prefixOf(prefixes, component);
      return prefix === undefined || !FLAT_SUFFIXES.has(parameter) ? undefined : `${prefix}${flatten(path)}.${parameter}`;
    },
  };
}
