import { ConfigError, type MatrixShape, ShapeError } from "@weft/tensor-core";
import { upperRow } from "@weft/tensor-core/linalg";
import { type Grid, gptqCode, gptqGrid } from "../integer/grids.js";
import type { IntegerBits } from "../integer/bits-at.js";
import { groupCount, type Integers } from "../integer/integer-format.js";
import { type GptqFactor, gptqFactor, type GptqFactorOptions } from "./gptq-factor.js";
import type { InputStatistics } from "./input-statistics.js";

/** How errors are spread, whatever the layout. */
export interface GptqSolverOptions extends GptqFactorOptions {
  /** Fix the grids of all groups beforehand, of the weight as it is: with `descAct` groups then stay neighbours. Default false. */
  readonly staticGroups?: boolean;
  /** Columns whose errors are spread together. Default 128; another number changes when grids see them. */
  readonly blockSize?: number;
}

/** What is wanted of the integers. */
export interface GptqGrids {
  readonly bits: IntegerBits;
  /** Columns that share a scale; -1 for all of a row. */
  readonly groupSize: number;
  readonly sym: boolean;
}

/** Integers, and what they stand for before scales are rounded to what a file holds. */
export interface GptqSolution {
  readonly integers: Integers;
  /** Mean over the tokens of ‖x·(Ŵ - W)ᵀ‖². */
  readonly loss: number;
}

/** The grids of a column's group for every row. */
type Grids = (first: number) => { readonly scales: Float64Array; readonly zeros: Float64Array };

/** Rows that are worked on together: none of them knows of the others. */
const ROWS = 64;

/**
 * GPTQ: one column after the other is rounded, and its error spread over those that come, so that the result of the layer changes least: with U the upper Cholesky factor of
 * H⁻¹, e = (w - ŵ) / U[j, j], w[k] -= e · U[j, k] for k > j. H = 2/n · Σ x·xᵀ, n the number of sequences. In f64.
 *
 * Inputs that never were anything but 0 lose their weights. A group's grid is that of its columns with the errors of all blocks before, but without those of the block that it
 * begins in; with groupSize -1 that of the whole row as it was.
 * @param weight f32 [out, in], row-major
 * @see Frantar et al. 2022 (GPTQ), algorithm 1; AutoGPTQ `quantization/gptq.py` fasterquant
 * @throws ShapeError, ConfigError; FormatError kind `non-finite` for statistics that are not finite
 */
export function solveGptq(
  weight: Float32Array,
  shape: MatrixShape,
  inputs: InputStatistics,
  grids: GptqGrids,
  options: GptqSolverOptions = {},
): GptqSolution {
  if (inputs.width !== shape[1] || !inputs.gram)
    throw new ShapeError(
      `GPTQ: the statistics are of ${inputs.width} inputs${inputs.gram ? "" : " without Σ x·xᵀ"}, the weight has ${shape[1]}`,
    );
  if (!(inputs.tokens > 0)) throw new ConfigError("GPTQ: the statistics are of no tokens");
  return solveByFactor(weight, shape, gptqFactor({ ...inputs, gram: inputs.gram.slice() }, options), grids, options);
}

/** @see solveGptq */
export function solveByFactor(
  weight: Float32Array,
  shape: MatrixShape,
  factor: GptqFactor,
  { bits, groupSize, sym }: GptqGrids,
  { staticGroups = false, blockSize = 128 }: GptqSolverOptions = {},
): GptqSolution {
  const [out, width] = shape;
  if (weight.length !== out * width) throw new ShapeError(`GPTQ: ${weight.length} values for a weight of [${shape}]`);
  if (!(Number.isInteger(blockSize) && blockSize > 0)) throw new ConfigError(`GPTQ: blockSize is ${blockSize}, expected a whole number`);
  const { order, samples, tokens } = factor;
  const size = groupSize < 0 ? width : groupSize;
  const count = groupCount(groupSize, width);
  const groups = new Int32Array(width);
  for (const [j, column] of order.entries()) groups[column] = Math.floor((staticGroups ? column : j) / size);
  const scales = new Float32Array(count * out);
  const codes = new Uint8Array(out * width);
  const zeros = new Uint8Array(count * out);
  const settings: Settings = { width, bits, sym, size, count, blockSize, fixed: staticGroups || groupSize < 0, groups };
  let loss = 0;
  for (let row = 0; row < out; row += ROWS) {
    const rows = Math.min(ROWS, out - row);
    const solved = solveRows(weight.subarray(row * width, (row + rows) * width), rows, factor, settings);
    loss += solved.loss;
    codes.set(solved.codes, row * width);
    for (let g = 0; g < count; g++)
      for (let o = 0; o < rows; o++) {
        scales[g * out + row + o] = solved.scales[g * rows + o]!;
        zeros[g * out + row + o] = solved.zeros[g * rows + o]!;
      }
  }
  return { integers: { bits, shape, codes, zeros, scales, groups }, loss: (Math.max(0, loss) / 2) * (samples / tokens) };
}

interface Settings {
  readonly width: number;
  readonly bits: IntegerBits;
  readonly sym: boolean;
  /** Columns of a group, and how many groups there are. */
  readonly size: number;
  readonly count: number;
  readonly blockSize: number;
  /** Grids are known before any error is spread. */
  readonly fixed: boolean;
  /** Of each column. */
  readonly groups: Int32Array;
}

/** Some rows of a weight. `scales` and `zeros` are [groups, rows], `loss` is Σ Δ·H·Δᵀ. */
function solveRows(
  weight: Float32Array,
  rows: number,
  { order, dead, u, added }: GptqFactor,
  { width, bits, sym, size, count, blockSize, fixed: beforehand, groups }: Settings,
): { readonly codes: Uint8Array; readonly scales: Float64Array; readonly zeros: Uint8Array; readonly loss: number } {
  const original = Float64Array.from(weight);
  /** The grid of `size` columns from `first` on, for each row. */
  const gridsOf =
    (w: Float64Array): Grids =>
    (first) => {
      const [scales, zeros] = [new Float64Array(rows), new Float64Array(rows)];
      for (let o = 0; o < rows; o++) {
        let low = 0;
        let high = 0;
        for (let c = first; c < Math.min(width, first + size); c++) {
          const v = w[o * width + c]!;
          if (v < low) low = v;
          if (v > high) high = v;
        }
        const { scale, zero } = gptqGrid(low, high, bits, sym);
        scales[o] = scale;
        zeros[o] = zero;
      }
      return { scales, zeros };
    };
  // Before dead inputs are taken out.
  const fixed = beforehand ? Array.from({ length: count }, (_, g) => gridsOf(original)(g * size)) : undefined;
  const w = new Float64Array(rows * width);
  for (let o = 0; o < rows; o++) for (let j = 0; j < width; j++) if (!dead[order[j]!]) w[o * width + j] = original[o * width + order[j]!]!;

  const codes = new Uint8Array(rows * width);
  const scales = new Float64Array(count * rows);
  const zeros = new Uint8Array(count * rows);
  const keep = (g: number, grid: ReturnType<Grids>): void => {
    scales.set(grid.scales, g * rows);
    zeros.set(grid.zeros, g * rows);
  };
  fixed?.forEach((grid, g) => keep(g, grid));
  let loss = 0;
  let current = fixed?.[0] ?? { scales: new Float64Array(rows), zeros: new Float64Array(rows) };
  for (let start = 0; start < width; start += blockSize) {
    const end = Math.min(width, start + blockSize);
    const inBlock = new Float64Array(rows * (end - start));
    for (let o = 0; o < rows; o++) inBlock.set(w.subarray(o * width + start, o * width + end), o * (end - start));
    for (let j = start; j < end; j++) {
      const column = order[j]!;
      const group = groups[column]!;
      if (fixed) current = fixed[group]!;
      else if (j % size === 0) keep(group, (current = gridsOf(w)(j)));
      loss += roundColumn({ j, start, end, rows, width, column, bits }, inBlock, u, current, codes);
    }
    spread(w, inBlock, u, { start, end, rows, width });
  }
  // Σ e² is Δ·H·Δᵀ of the raised H.
  let distance = 0;
  for (let o = 0; o < rows; o++)
    for (let c = 0; c < width; c++) {
      const at = groups[c]! * rows + o;
      if (!dead[c]) distance += (original[o * width + c]! - scales[at]! * (codes[o * width + c]! - zeros[at]!)) ** 2;
    }
  return { codes, scales, zeros, loss: loss - added * distance };
}

/** Rounds column `j` of a block, spreads its error over the columns behind it in the block, and leaves e where the column was. @returns Σ e² */
function roundColumn(
  at: { j: number; start: number; end: number; rows: number; width: number; column: number; bits: IntegerBits },
  block: Float64Array,
  u: Float64Array,
  grids: ReturnType<Grids>,
  codes: Uint8Array,
): number {
  const { j, start, end, rows, width, column, bits } = at;
  const columns = end - start;
  const row = upperRow(width, j);
  const diagonal = u[row + j]!;
  const grid: { -readonly [K in keyof Grid]: Grid[K] } = { scale: 0, zero: 0 };
  let sum = 0;
  for (let o = 0; o < rows; o++) {
    const from = o * columns;
    const v = block[from + j - start]!;
    grid.scale = grids.scales[o]!;
    grid.zero = grids.zeros[o]!;
    const code = gptqCode(v, grid, bits);
    codes[o * width + column] = code;
    const error = (v - grid.scale * (code - grid.zero)) / diagonal;
    sum += error * error;
    for (let k = j + 1; k < end; k++) block[from + k - start]! -= error * u[row + k]!;
    block[from + j - start] = error;
  }
  return sum;
}

/** Columns of one tile: of a block of 128 rows of U they stay in a core's memory while all rows of the weight pass. */
const TILE = 256;

/** W[:, end …] -= E · U[start … end, end …]. */
function spread(
  w: Float64Array,
  errors: Float64Array,
  u: Float64Array,
  { start, end, rows, width }: { start: number; end: number; rows: number; width: number },
): void {
  const columns = end - start;
  for (let tile = end; tile < width; tile += TILE) {
    const last = Math.min(width, tile + TILE);
    for (let o = 0; o < rows; o++)
      for (let j = 0; j < columns; j += 4) {
        const few = Math.min(4, columns - j);
        const from = o * columns + j;
        const e0 = errors[from]!;
        const e1 = few > 1 ? errors[from + 1]! : 0;
        const e2 = few > 2 ? errors[from + 2]! : 0;
        const e3 = few > 3 ? errors[from + 3]! : 0;
        const u0 = upperRow(width, start + j);
        const u1 = few > 1 ? upperRow(width, start + j + 1) : u0;
        const u2 = few > 2 ? upperRow(width, start + j + 2) : u0;
        const u3 = few > 3 ? upperRow(width, start + j + 3) : u0;
        for (let c = tile; c < last; c++) w[o * width + c]! -= e0 * u[u0 + c]! + e1 * u[u1 + c]! + (e2 * u[u2 + c]! + e3 * u[u3 + c]!);
      }
  }
}
