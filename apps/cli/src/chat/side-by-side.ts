/** A title and a text below it. */
type Column = readonly [title: string, text: string];

/** Narrower columns are harder to read than one text after the other. */
const LEAST_WIDTH = 30;

/** Two texts in columns, or one after the other where there is no room. */
export function sideBySide([leftTitle, left]: Column, [rightTitle, right]: Column, columns: number): string {
  const width = Math.floor((columns - 3) / 2);
  if (width < LEAST_WIDTH) return `${leftTitle}\n${left}\n\n${rightTitle}\n${right}`;
  const [a, b] = [wrapped(left, width), wrapped(right, width)];
  const lines = Array.from({ length: Math.max(a.length, b.length) }, (_, i) => `${(a[i] ?? "").padEnd(width)} │ ${b[i] ?? ""}`.trimEnd());
  // Styles in a title take no room.
  const plain = leftTitle.replaceAll(new RegExp(String.raw`\u001b\[\d+m`, "g"), "");
  return [`${leftTitle}${" ".repeat(width - plain.length)} │ ${rightTitle}`, ...lines].join("\n");
}

/** Lines of at most `width` characters, broken at spaces where there are some. */
function wrapped(text: string, width: number): string[] {
  return text.split("\n").flatMap((line) => {
    const lines: string[] = [];
    let rest = line;
    while (rest.length > width) {
      const space = rest.lastIndexOf(" ", width);
      const at = space > 0 ? space : width;
      lines.push(rest.slice(0, at));
      rest = rest.slice(at).trimStart();
    }
    return [...lines, rest];
  });
}
