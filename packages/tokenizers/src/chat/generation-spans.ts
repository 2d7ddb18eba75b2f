/** From, to, in UTF-16 units of a text. */
export type Span = readonly [from: number, to: number];

/** Two characters that none of the values has: Unicode assigns none of U+FDD0 to U+FDEF, ever. */
export function unusedMarks(...values: unknown[]): readonly [open: string, close: string] {
  const written = JSON.stringify(values);
  const free = Array.from({ length: 32 }, (_, i) => String.fromCharCode(0xfdd0 + i)).filter((char) => !written.includes(char));
  if (free.length < 2) throw new Error("every character that could mark spans is in the messages");
  return [free[0]!, free[1]!];
}

/** A text without its marks, and what stood between them; of blocks inside of each other, the outer. */
export function takeMarks(marked: string, [open, close]: readonly [string, string]): { text: string; spans: Span[] } {
  const spans: Span[] = [];
  let text = "";
  let depth = 0;
  let from = 0;
  for (const part of marked.split(new RegExp(`([${open}${close}])`))) {
    if (part === open && depth++ === 0) from = text.length;
    else if (part === close && --depth === 0) spans.push([from, text.length]);
    else if (part !== open && part !== close) text += part;
  }
  return { text, spans };
}
