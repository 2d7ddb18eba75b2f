/** Where the entry of a key of the outermost object lies in a text of JSON, with its comma. */
function findEntry(text: string, key: string): { readonly start: number; readonly end: number } | undefined {
  const quoted = JSON.stringify(key);
  let [depth, at] = [0, 0];
  let [entry, own] = [-1, false];
  for (; at < text.length; at++) {
    const c = text[at]!;
    if (c === '"') {
      const start = at;
      for (at++; text[at] !== '"'; at++) if (text[at] === "\\") at++;
      if (depth === 1 && entry < 0) [entry, own] = [start, text.slice(start, at + 1) === quoted];
    } else if (c === "{" || c === "[") depth++;
    else if (c === "}" || c === "]") depth--;
    if ((c === "," && depth === 1) || (c === "}" && depth === 0)) {
      if (own) return { start: entry, end: at };
      entry = -1;
    }
  }
  return undefined;
}

/** The text without a key of its outermost object. */
function withoutField(text: string, key: string): string {
  const found = findEntry(text, key);
  if (!found) return text;
  const [before, after] = [text.slice(0, found.start), text.slice(found.end)];
  if (after.startsWith(",")) return before + after.slice(1).trimStart();
  const space = /\s*$/.exec(before)![0];
  return before.trimEnd().replace(/,$/, "") + space.replace(/[ \t]+$/, "") + after.trimStart();
}

/**
 * Sets a key of the outermost object of a text of JSON, as its last, or with `undefined` removes it. All else stays as it is written: numbers such as 1e-05 and 10000.0 would not
 * survive a rewrite.
 */
export function setJsonField(text: string, key: string, value: unknown): string {
  const without = withoutField(text, key);
  if (value === undefined) return without;
  const indent = /\{\r?\n([ \t]+)/.exec(text)?.[1];
  const json = JSON.stringify(value, undefined, indent).replaceAll("\n", `\n${indent ?? ""}`);
  const end = without.lastIndexOf("}");
  const before = without.slice(0, end).trimEnd();
  return `${before}${before.endsWith("{") ? "" : ","}${indent ? `\n${indent}` : " "}${JSON.stringify(key)}: ${json}${indent ? "\n" : ""}${without.slice(end)}`;
}
