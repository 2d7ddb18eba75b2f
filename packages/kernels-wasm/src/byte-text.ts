/** Printable ASCII but for what a string literal escapes, and the two shifts. */
const ALPHABET: string = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i))
  .join("")
  .replace(/["\\`$~]/g, "");

/**
 * Bytes out of printable text: one character for each of the 90 commonest bytes, two for the others (a shift, `~` or `$`, first).
 * @param common the commonest bytes in order, hex; the others follow as they count
 * @see scripts/byte-text.mjs, which writes it
 */
export function decodeBytes(text: string, common: string): Uint8Array<ArrayBuffer> {
  const order = common.match(/../g)!.map((byte) => Number.parseInt(byte, 16));
  for (let byte = 0; byte < 256; byte++) if (order.indexOf(byte) < 0) order.push(byte);
  const bytes: number[] = [];
  let shift = 0;
  for (const character of text) {
    if (character === "~") shift = ALPHABET.length;
    else if (character === "$") shift = 2 * ALPHABET.length;
    else {
      bytes.push(order[ALPHABET.indexOf(character) + shift]!);
      shift = 0;
    }
  }
  return Uint8Array.from(bytes);
}
