import type { Dialect, DialectKey, DialectName } from "./dialect.js";
import { type PrefixTable, prefixOf, splitPrefix } from "./prefixes.js";
import { splitSuffix, suffixOf, type SuffixTable } from "./suffixes.js";

/** Key schemes that keep the dots: `<prefix><path>.<suffix>`. */
export function dottedDialect(
  name: DialectName,
  prefixes: PrefixTable,
  read: SuffixTable,
  written: SuffixTable | undefined,
  rest: Pick<Dialect, "example" | "includes" | "claims">,
): Dialect {
  return {
    name,
    ...rest,
    readKey(key): DialectKey | undefined {
      const suffix = splitSuffix(key, read);
      const prefix = suffix && splitPrefix(suffix.module, prefixes);
      return suffix && prefix && { module: suffix.module, ...prefix, flat: false, parameter: suffix.parameter };
    },
    ...(written && {
      writeKey(component, path, parameter) {
        const [prefix, suffix] = [prefixOf(prefixes, component), suffixOf(written, parameter)];
        return prefix === undefined || suffix === undefined ? undefined : `${prefix}${path}.${suffix}`;
      },
    }),
  };
}
