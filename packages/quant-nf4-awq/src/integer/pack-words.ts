import { bytesOf } from "../bytes.js";
import type { IntegerBits } from "./bits-at.js";

/**
 * Words of 32 bits that lie as [lines, columns], each of 32 / bits integers of one column (`along: "lines"`) or of one line (`along: "columns"`).
 * @param value integer k of line or column `at`
 */
export function packWords(
  value: (at: number, k: number) => number,
  [lines, columns]: readonly [number, number],
  along: "lines" | "columns",
  bits: Exclude<IntegerBits, 3>,
): Uint8Array {
  const words = new Int32Array(lines * columns);
  const perWord = 32 / bits;
  for (let line = 0; line < lines; line++)
    for (let column = 0; column < columns; column++) {
      const [at, first] = along === "lines" ? [column, line * perWord] : [line, column * perWord];
      let word = 0;
      for (let k = 0; k < perWord; k++) word |= value(at, first + k) << (bits * k);
      words[line * columns + column] = word;
    }
  return bytesOf(words);
}
