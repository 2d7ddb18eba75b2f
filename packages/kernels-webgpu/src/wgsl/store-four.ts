import type { Operand } from "@weft/tensor-core";
import type { OutputRef } from "./shader.js";
import { encodeValue, lanes } from "./storage.js";

/**
 * Stores four neighbouring values of a row at element `at`, a multiple of 4 within the row: as whole words where all rows
 * consist of such, else one by one.
 * @param rowLength elements of a row
 * @param inside a bool expression: value `i` exists
 */
export function storeFour(
  out: OutputRef,
  operand: Operand,
  rowLength: number,
  at: string,
  inside: (i: number) => string,
  value: (i: number) => string,
): string {
  const e = lanes(operand.dtype);
  const whole = e > 1 && rowLength % e === 0 && operand.offset % e === 0;
  return [0, 1, 2, 3]
    .map((i) => {
      if (!whole) return `if (${inside(i)}) { ${out.store(`${at} + ${i}u`, value(i))} }`;
      if (i % e !== 0) return "";
      const word = Array.from({ length: e }, (_, l) => `(${encodeValue(operand.dtype, value(i + l))} << ${(l * 32) / e}u)`).join(" | ");
      return `if (${inside(i)}) { ${out.storeWord(`(${at} + ${i}u) / ${e}u`, word, "0xffffffffu")} }`;
    })
    .join("\n");
}
