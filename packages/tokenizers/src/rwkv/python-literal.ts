const encoder = new TextEncoder();
const SIMPLE: { readonly [letter: string]: number } = { n: 10, r: 13, t: 9, a: 7, b: 8, f: 12, v: 11, "\\": 92, "'": 39, '"': 34 };

/** The bytes of a `str` (its UTF-8) or `bytes` as Python's `repr` writes them; undefined if it is neither. */
export function pythonLiteral(text: string): Uint8Array | undefined {
  const parts = /^(b?)(['"])(.*)\2$/s.exec(text);
  return parts ? unescape(parts[3]!, parts[1] === "b", parts[2]) : undefined;
}

/** The bytes of what stands between the quotes of such a literal. @param quote what may not stand there by itself */
export function unescape(body: string, isBytes: boolean, quote?: string): Uint8Array | undefined {
  const bytes: number[] = [];
  for (let at = 0; at < body.length;) {
    const escape = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([nrtabfv\\'"]))/sy;
    escape.lastIndex = at;
    const found = escape.exec(body);
    if (!found) {
      const char = String.fromCodePoint(body.codePointAt(at)!);
      if (char === "\\" || char === quote || (isBytes && char > "\x7f")) return undefined;
      bytes.push(...encoder.encode(char));
      at += char.length;
      continue;
    }
    const code = found[4] === undefined ? parseInt(found[1] ?? found[2] ?? found[3]!, 16) : SIMPLE[found[4]]!;
    if (code > 0x10ffff || (isBytes && (found[2] !== undefined || found[3] !== undefined))) return undefined;
    if (isBytes) bytes.push(code);
    else bytes.push(...encoder.encode(String.fromCodePoint(code)));
    at += found[0].length;
  }
  return Uint8Array.from(bytes);
}
