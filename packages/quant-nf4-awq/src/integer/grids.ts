import { type DType, type MatrixShape, roundTo } from "@weft/tensor-core";
import { roundF16 } from "../f16.js";
import { roundHalfToEven } from "../rounding.js";
import type { IntegerBits } from "./bits-at.js";
import { groupCount, type Integers, neighbours } from "./integer-format.js";

const { fround } = Math;
const clamp = (x: number, most: number): number => (x < 0 ? 0 : x > most ? most : x);

/** Scale and zero point for numbers between `low` and `high`. */
export interface Grid {
  readonly scale: number;
  readonly zero: number;
}

/** Rounds every group of every row to its grid. @param code the integer of a number on a grid */
function roundToGrids(
  values: Float32Array,
  [out, width]: MatrixShape,
  groupSize: number,
  bits: IntegerBits,
  gridOf: (low: number, high: number) => Grid,
  code: (x: number, grid: Grid) => number,
): Integers {
  const groups = neighbours(groupSize, width);
  const count = groupCount(groupSize, width);
  const size = groupSize < 0 ? width : groupSize;
  const codes = new Uint8Array(out * width);
  const zeros = new Uint8Array(count * out);
  const scales = new Float32Array(count * out);
  for (let o = 0; o < out; o++)
    for (let g = 0; g < count; g++) {
      const [start, end] = [o * width + g * size, o * width + Math.min(width, (g + 1) * size)];
      let [low, high] = [Infinity, -Infinity];
      for (let i = start; i < end; i++) {
        const v = values[i]!;
        if (v < low) low = v;
        if (v > high) high = v;
      }
      const grid = gridOf(low, high);
      zeros[g * out + o] = grid.zero;
      scales[g * out + o] = grid.scale;
      for (let i = start; i < end; i++) codes[i] = code(values[i]!, grid);
    }
  return { bits, shape: [out, width], codes, zeros, scales, groups };
}

/** f16 arithmetic as torch does it on a CPU: in f32, then rounded. */
const half = (x: number): number => roundF16(fround(x));

/**
 * AWQ's grid: s = max(high - low, 1e-5) / 15, z = -round(low / s) within 0 … 15. @param rounded what the arithmetic leaves of a number
 * @see AutoAWQ `quantize/quantizer.py` pseudo_quantize_tensor
 */
export function awqGrid(low: number, high: number, rounded: (x: number) => number): Grid {
  const scale = rounded(Math.max(rounded(high - low), rounded(1e-5)) / 15);
  return { scale, zero: clamp(-roundHalfToEven(rounded(low / scale)), 15) };
}

/** Every number to the nearest on AWQ's grids, code = round(w / s) + z, all of it in f16. */
export const roundAwq = (values: Float32Array, shape: MatrixShape, groupSize: number): Integers =>
  roundToGrids(
    values.map(roundF16),
    shape,
    groupSize,
    4,
    (low, high) => awqGrid(low, high, half),
    (x, { scale, zero }) => clamp(roundHalfToEven(half(x / scale)) + zero, 15),
  );

/** The grid of GPTQ for numbers between low and high, which 0 is added to. @see AutoGPTQ `quantization/quantizer.py` find_params */
export function gptqGrid(low: number, high: number, bits: IntegerBits, symmetric: boolean): Grid {
  const most = 2 ** bits - 1;
  let [lo, hi] = [Math.min(low, 0), Math.max(high, 0)];
  if (symmetric) {
    hi = Math.max(-lo, hi);
    if (lo < 0) lo = -hi;
  }
  if (lo === 0 && hi === 0) [lo, hi] = [-1, 1];
  const scale = (hi - lo) / most;
  return { scale, zero: symmetric ? (most + 1) / 2 : roundHalfToEven(-lo / scale) };
}

/** The integer of a number on a grid. */
export const gptqCode = (x: number, { scale, zero }: Grid, bits: IntegerBits): number =>
  clamp(roundHalfToEven(x / scale) + zero, 2 ** bits - 1);

/** Every number to the nearest on GPTQ's grids: GPTQ without data. */
export const roundGptq =
  (bits: IntegerBits, symmetric: boolean) =>
  (values: Float32Array, shape: MatrixShape, groupSize: number): Integers =>
    roundToGrids(
      values,
      shape,
      groupSize,
      bits,
      (low, high) => gptqGrid(low, high, bits, symmetric),
      (x, grid) => gptqCode(x, grid, bits),
    );

/**
 * compressed-tensors' grids: without zero points s = 2 · max|w| / (2^bits - 1), the zero point in the middle; else as GPTQ's. Scales are rounded to their dtype first.
 * @see compressed-tensors `quantization/utils/helpers.py` calculate_qparams
 */
export const roundCompressed =
  (bits: IntegerBits, symmetric: boolean, dtype: DType) =>
  (values: Float32Array, shape: MatrixShape, groupSize: number): Integers => {
    const most = 2 ** bits - 1;
    const grid = (low: number, high: number): Grid => {
      const [lo, hi] = [Math.min(low, 0), Math.max(high, 0)];
      const range = symmetric ? 2 * Math.max(-lo, hi) : hi - lo;
      const scale = roundTo(range / most, dtype) || roundTo(2 ** -14, dtype);
      return { scale, zero: symmetric ? 2 ** (bits - 1) : clamp(roundHalfToEven(-lo / scale), most) };
    };
    return roundToGrids(values, shape, groupSize, bits, grid, (x, g) => gptqCode(x, g, bits));
  };
