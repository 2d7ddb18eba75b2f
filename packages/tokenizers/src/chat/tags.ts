/** A tag of a template, `{% … %}`, `{{ … }}` or `{# … #}`, by its place in the source. */
export interface Tag {
  readonly kind: "statement" | "expression" | "comment";
  readonly from: number;
  readonly to: number;
  /** From 1. */
  readonly line: number;
}

const KINDS = { "%": "statement", "{": "expression", "#": "comment" } as const;
const CLOSED_BY = { statement: "%}", expression: "}}", comment: "#}" } as const;

/** Where a string that begins at `at` ends, behind its quote. */
function endOfString(source: string, at: number): number {
  const quote = source[at];
  let i = at + 1;
  while (i < source.length && source[i] !== quote) i += source[i] === "\\" ? 2 : 1;
  return i + 1;
}

/** Where a tag of this kind ends, behind what closes it; the end of the source if nothing does. */
function endOfTag(source: string, from: number, kind: Tag["kind"]): number {
  const close = CLOSED_BY[kind];
  let depth = 0;
  let i = from + 2;
  while (i < source.length) {
    const char = source[i]!;
    if (kind !== "comment" && (char === '"' || char === "'")) {
      i = endOfString(source, i);
      continue;
    }
    if (depth === 0 && source.startsWith(close, i)) return i + 2;
    if (kind !== "comment" && char === "{") depth++;
    if (kind !== "comment" && char === "}" && depth > 0) depth--;
    i++;
  }
  return source.length;
}

/** The tags of a template, in order. */
export function tagsOf(source: string): Tag[] {
  const tags: Tag[] = [];
  const open = /\{[%{#]/g;
  let line = 1;
  let counted = 0;
  for (let match = open.exec(source); match; match = open.exec(source)) {
    const from = match.index;
    for (; counted < from; counted++) if (source[counted] === "\n") line++;
    const kind = KINDS[source[from + 1] as keyof typeof KINDS];
    const to = endOfTag(source, from, kind);
    tags.push({ kind, from, to, line });
    open.lastIndex = to;
  }
  return tags;
}
