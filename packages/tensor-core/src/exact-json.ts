/**
 * JSON in which NaN, ±Infinity and -0 stay apart: the key of caches whose entries depend on numbers. Not meant to be parsed. Written by hand, since
 * `JSON.stringify` asks a replacer about each value.
 */
export function exactJson(value: unknown): string {
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : `${value}`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  let text = "";
  if (Array.isArray(value)) {
    for (const item of value) text += `${text && ","}${exactJson(item)}`;
    return `[${text}]`;
  }
  for (const key in value) {
    const item = (value as Record<string, unknown>)[key];
    if (item !== undefined) text += `${text && ","}${JSON.stringify(key)}:${exactJson(item)}`;
  }
  return `{${text}}`;
}
