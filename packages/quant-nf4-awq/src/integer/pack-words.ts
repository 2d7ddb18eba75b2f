import { bytesOf } from "../bytes.js";
import type { IntegerBits } from "./bits-at.js";

/**
 * Words of 32 bits that lie as [lines, columns], filled without gaps from the lowest bit on with the integers of one column (`along: "lines"`) or of one line
 * (`along: "columns"`). Of three bits 32 lie in three words, two of them across a border.
 * @param value integer k of line or column `at`
 */
export function packWords(
  value: (at: number, k: number) => number,
  [lines, columns]: readonly [number, number],
  along: "lines" | "columns",
  bits: IntegerBits,
): Uint8Array {
  const words = new Int32Array(lines * columns);
  const [runs, length, step, stride] = along === "lines" ? [columns, lines, columns, 1] : [lines, columns, 1, columns];
  const count = Math.floor((length * 32) / bits);
  for (let run = 0; run < runs; run++)
    for (let k = 0; k < count; k++) {
      const bit = k * bits;
      const word = run * stride + (bit >> 5) * step;
      const place = bit & 31;
      const integer = value(run, k);
      words[word]! |= integer << place;
      if (place + bits > 32) words[word + step]! |= integer >>> (32 - place);
    }
  return bytesOf(words);
}
