import { isAscii } from "./characters.js";
import type { Edits, NormalizedString } from "./normalized-string.js";

/** GPT-2's character for each byte: printable ones of Latin-1 are themselves, the others follow from U+0100. */
export const BYTE_CHARS: readonly string[] = (() => {
  const printable = (byte: number): boolean => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let others = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : others++));
})();

/** The byte of each of these characters, by its UTF-16 unit; 256 of none. */
const BYTES = new Uint16Array(0x144).fill(256);
for (const [byte, char] of BYTE_CHARS.entries()) BYTES[char.charCodeAt(0)] = byte;

const encoder = new TextEncoder();

/** The bytes of a text, as characters. */
function toByteChars(text: string): string {
  let out = "";
  if (isAscii(text)) for (let i = 0; i < text.length; i++) out += BYTE_CHARS[text.charCodeAt(i)];
  else for (const byte of encoder.encode(text)) out += BYTE_CHARS[byte];
  return out;
}

/** The bytes that such characters stand for, undefined if another character is among them. */
export function fromByteChars(text: string): number[] | undefined {
  const bytes: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const byte = BYTES[text.charCodeAt(i)] ?? 256;
    if (byte === 256) return undefined;
    bytes.push(byte);
  }
  return bytes;
}

/** The piece with bytes as characters, each standing for the whole character that its byte is of. */
export function inByteChars(piece: NormalizedString): NormalizedString {
  const { text } = piece;
  if (isAscii(text)) return piece.renamed(toByteChars(text));
  const edits: Edits = { chars: [], changes: [] };
  for (const char of text) {
    let first = 0;
    for (const one of toByteChars(char)) {
      edits.chars.push(one);
      edits.changes.push(first);
      first = 1;
    }
  }
  return piece.transform(edits);
}
