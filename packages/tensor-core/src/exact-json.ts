/** JSON in which NaN, ±Infinity and -0 stay apart: the key of caches whose entries depend on numbers. Not meant to be parsed. */
export function exactJson(value: unknown): string {
  return JSON.stringify(value, (_, v: unknown) =>
    typeof v === "number" && (!Number.isFinite(v) || Object.is(v, -0)) ? `#${Object.is(v, -0) ? "-0" : v}` : v,
  );
}
