import { encodeFourBitBlocks, type LevelTable } from "@weft/kernels-wasm/encode";
import { type FourBitType, LEVELS } from "./levels.js";

const { fround } = Math;

/** Levels in ascending order, thresholds half-way between neighbours in f32; a number on a threshold goes to the lower level. */
function createTable(type: FourBitType): LevelTable {
  const levels = LEVELS[type];
  const codes = Uint8Array.from(levels.keys()).toSorted((a, b) => levels[a]! - levels[b]! || a - b);
  const thresholds = Float32Array.from(codes.subarray(1), (code, i) => fround(levels[codes[i]!]! + levels[code]!) / 2);
  return { thresholds, codes };
}
const tables: Partial<Record<FourBitType, LevelTable>> = {};

/**
 * Codes of four bits of blocks of numbers, row-major across rows, divided by the largest magnitude of their block: the code of byte 2k in its upper half.
 * @returns `packed` u8 [⌈n / 2⌉], `absmax` f32 [⌈n / blocksize⌉]
 * @see bitsandbytes `backends/default/ops.py` quantize_4bit
 */
export function encodeFourBit(
  values: Float32Array,
  type: FourBitType,
  blocksize: number,
): { readonly packed: Uint8Array; readonly absmax: Float32Array } {
  const table = (tables[type] ??= createTable(type));
  const n = values.length;
  const packed = new Uint8Array(Math.ceil(n / 2));
  const absmax = new Float32Array(Math.ceil(n / blocksize));
  const whole = n - (n % blocksize);
  encodeFourBitBlocks(values.subarray(0, whole), table, blocksize, packed, absmax);
  if (whole < n) absmax[absmax.length - 1] = encodeLast(values.subarray(whole), table, packed.subarray(whole / 2));
  return { packed, absmax };
}

/** A last block that is shorter, of which numbers are divided, not multiplied by the reciprocal; an odd one is filled up by 0. @returns its largest magnitude, at least 1e-38 */
function encodeLast(values: Float32Array, { thresholds, codes }: LevelTable, packed: Uint8Array): number {
  const divisor = values.reduce((most, v) => Math.max(most, Math.abs(v)), fround(1e-38));
  const code = (i: number): number => {
    const x = i < values.length ? fround(values[i]! / divisor) : 0;
    return codes[thresholds.reduce((rank, t) => rank + (t < x ? 1 : 0), 0)]!;
  };
  for (let k = 0; k < packed.length; k++) packed[k] = (code(2 * k) << 4) | code(2 * k + 1);
  return divisor;
}
