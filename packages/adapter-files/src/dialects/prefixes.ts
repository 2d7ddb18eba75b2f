import type { Component } from "./dialect.js";

/** Prefixes of a dialect with the component that each stands for; the first of a component is written. */
export type PrefixTable = readonly (readonly [prefix: string, component: Component])[];

/** The prefix that a name begins with: the longest that fits, so that `lora_te1_` is not taken for `lora_te`. */
export function splitPrefix(name: string, table: PrefixTable): { readonly component: Component; readonly path: string } | undefined {
  let best: readonly [string, Component] | undefined;
  for (const entry of table)
    if (name.startsWith(entry[0]) && name.length > entry[0].length && entry[0].length > (best?.[0].length ?? 0)) best = entry;
  return best && { component: best[1], path: name.slice(best[0].length) };
}

export const prefixOf = (table: PrefixTable, component: Component): string | undefined => table.find(([, c]) => c === component)?.[0];
