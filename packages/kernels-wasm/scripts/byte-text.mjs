// Bytes as printable text that gzip packs as well as the bytes themselves: one character for each of the 90 commonest bytes, two for the others. (Hex takes
// 13 % more, base64 60 %: it hides what repeats.) `src/byte-text.ts` reads it.

/** Printable ASCII but for what a string literal escapes and the two shifts; the same as in `src/byte-text.ts`. */
const ALPHABET = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).filter((c) => !'"\\`$~'.includes(c));
const SHIFTS = ["", "~", "$"];

/** All bytes, the commonest first. */
export function commonestFirst(codes) {
  const counts = new Array(256).fill(0);
  for (const code of codes) for (const byte of code) counts[byte]++;
  const order = [...counts.keys()].sort((a, b) => counts[b] - counts[a] || a - b);
  const common = order.slice(0, ALPHABET.length);
  return [...common, ...order.slice(ALPHABET.length).sort((a, b) => a - b)];
}

export function encodeBytes(bytes, order) {
  const texts = [];
  order.forEach((byte, i) => (texts[byte] = SHIFTS[Math.floor(i / ALPHABET.length)] + ALPHABET[i % ALPHABET.length]));
  return Array.from(bytes, (byte) => texts[byte]).join("");
}

/** The part of the order that is not plain counting: what `src/byte-text.ts` needs of it, in hex. */
export const commonHex = (order) => Buffer.from(order.slice(0, ALPHABET.length)).toString("hex");
