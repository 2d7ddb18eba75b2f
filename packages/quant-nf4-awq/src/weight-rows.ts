import { bytesPerElement, sizeOf } from "@weft/tensor-core";
import type { QuantizedWeight } from "./quant-format.js";

/**
 * Rows of a stored weight as a weight of their own, in the same format.
 * @param start a multiple of `rowsPerBlock`, as `stop` is where it is not the end
 */
export function weightRows(weight: QuantizedWeight, start: number, stop: number): QuantizedWeight {
  const { format, shape, parts } = weight;
  const [out, width] = shape;
  if (start === 0 && stop === out) return weight;
  const own = Object.entries(format.parts(shape)).map(([name, { shape: size, dtype, rows }]): [string, Uint8Array] => {
    const bytes = parts[name]!;
    if (!rows) return [name, bytes];
    const lines = sizeOf(size.slice(0, rows.axis));
    const each = sizeOf(size.slice(rows.axis + 1)) * bytesPerElement(dtype);
    const at = (row: number): number => (row === out ? size[rows.axis]! : (row * rows.elements) / rows.rows) * each;
    const [first, last, line] = [at(start), at(stop), size[rows.axis]! * each];
    if (lines === 1) return [name, bytes.subarray(first, last)];
    const taken = new Uint8Array(lines * (last - first));
    for (let i = 0; i < lines; i++) taken.set(bytes.subarray(i * line + first, i * line + last), i * (last - first));
    return [name, taken];
  });
  return { ...weight, shape: [stop - start, width], parts: Object.fromEntries(own) };
}
