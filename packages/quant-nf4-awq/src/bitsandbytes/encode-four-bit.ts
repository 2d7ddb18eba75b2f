import { type FourBitType, LEVELS } from "./levels.js";

const { fround } = Math;
/** Cells of equal width that [-1, 1] is cut into, so fine that no two thresholds share one. */
const CELLS = 1024;

/** What finds the code of x in [-1, 1]: that of its cell, or the next level's above the cell's threshold. */
interface CodeTable {
  readonly below: Uint8Array;
  readonly above: Uint8Array;
  readonly threshold: Float64Array;
}

const f32 = new Float32Array(1);
const bits = new Int32Array(f32.buffer);

/** The largest number in f64 that rounds to no f32 above `t`: so that x need not be rounded first. */
function roundedAbove(t: number): number {
  f32[0] = t;
  const even = bits[0]! % 2 === 0;
  bits[0]! += t < 0 ? -1 : 1;
  const middle = (t + f32[0]!) / 2;
  return even ? middle : middle - Math.abs(middle) * 2 ** -53;
}

/** Levels in ascending order, thresholds half-way between neighbours in f32; a number on a threshold goes to the lower level. */
function createTable(type: FourBitType): CodeTable {
  const levels = LEVELS[type];
  const codes = Array.from(levels.keys()).sort((a, b) => levels[a]! - levels[b]! || a - b);
  const thresholds = codes.slice(1).map((code, i) => roundedAbove(fround(fround(levels[codes[i]!]! + levels[code]!) / 2)));
  const table = {
    below: new Uint8Array(CELLS + 1),
    above: new Uint8Array(CELLS + 1),
    threshold: new Float64Array(CELLS + 1).fill(Infinity),
  };
  for (let cell = 0; cell <= CELLS; cell++) {
    const start = (2 * cell) / CELLS - 1;
    const passed = thresholds.filter((t) => t < start).length;
    table.below[cell] = codes[passed]!;
    table.above[cell] = codes[Math.min(passed + 1, 15)]!;
    if (passed < 15 && thresholds[passed]! < start + 2 / CELLS) table.threshold[cell] = thresholds[passed]!;
  }
  return table;
}
const tables: Partial<Record<FourBitType, CodeTable>> = {};

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
  const { below, above, threshold } = (tables[type] ??= createTable(type));
  const n = values.length;
  const packed = new Uint8Array(Math.ceil(n / 2));
  const absmax = new Float32Array(Math.ceil(n / blocksize));
  const code = (x: number): number => {
    const cell = (x * (CELLS / 2) + CELLS / 2) | 0;
    return x > threshold[cell]! ? above[cell]! : below[cell]!;
  };
  for (let b = 0; b < absmax.length; b++) {
    const start = b * blocksize;
    const end = Math.min(n, start + blocksize);
    let max = 0;
    for (let i = start; i < end; i++) {
      const magnitude = Math.abs(values[i]!);
      if (magnitude > max) max = magnitude;
    }
    const divisor = Math.max(max, fround(1e-38));
    if (end - start === blocksize) {
      absmax[b] = max;
      const scale = fround(1 / divisor);
      for (let i = start; i < end; i += 2) packed[i >> 1] = (code(values[i]! * scale) << 4) | code(values[i + 1]! * scale);
    } else {
      absmax[b] = divisor;
      const divided = (i: number): number => (i < end ? fround(values[i]! / divisor) : 0);
      for (let i = start; i < end; i += 2) packed[i >> 1] = (code(divided(i)) << 4) | code(divided(i + 1));
    }
  }
  return { packed, absmax };
}
