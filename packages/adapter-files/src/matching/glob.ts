/**
 * A shell pattern over whole module paths as the regular expression that `target_modules` takes: `*` any characters, `?` one, `[abc]`, `[a-z]`, `[!abc]`
 * one of these or none of these (Python's `fnmatch`).
 */
export function glob(pattern: string): string {
  let result = "";
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i]!;
    const end = c === "[" ? pattern.indexOf("]", i + (pattern[i + 1] === "!" ? 3 : 2)) : -1;
    if (c === "*") result += ".*";
    else if (c === "?") result += ".";
    else if (end > 0) {
      const inside = pattern.slice(i + 1, end).replaceAll("\\", "\\\\");
      result += inside.startsWith("!") ? `[^${inside.slice(1)}]` : `[${inside.startsWith("^") ? "\\" : ""}${inside}]`;
      i = end;
    } else result += /[\w/-]/.test(c) ? c : `\\${c}`;
  }
  return result;
}
