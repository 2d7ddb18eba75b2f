/** What a table has under a name out of a file; undefined for what is no name of it, `constructor` and the like included. */
export const ownEntry = <T>(table: { readonly [name: string]: T } | undefined, name: unknown): T | undefined =>
  table && typeof name === "string" && Object.hasOwn(table, name) ? table[name] : undefined;
