import { ConfigError, FormatError, type MatrixShape, ShapeError } from "@weft/tensor-core";
import { inverseCholesky } from "@weft/tensor-core/linalg";
import { type Grid, gptqCode, gptqGrid } from "../integer/grids.js";
import type { IntegerBits } from "../integer/bits-at.js";
import { groupCount, type Integers } from "../integer/integer-format.js";
import type { InputStatistics } from "./input-statistics.js";

/** How errors are spread, whatever the layout. */
export interface GptqSolverOptions {
  /** Share of the mean of the Hessian's diagonal that is added to the diagonal; 0.01 raised step by step where it does not suffice. Default 0.01. */
  readonly dampPercent?: number;
  /** Quantise inputs in the order of their energy, the largest first; `g_idx` says which group each has come to. Default false. */
  readonly descAct?: boolean;
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

const DAMP_STEP = 0.01;

/** 2 / samples · Σ x·xᵀ, and 1 on the diagonal of inputs that never were anything but 0. */
function hessianOf({ gram, samples, width }: InputStatistics): Float64Array {
  const h = gram!.map((sum) => (2 * sum) / samples);
  for (let i = 0; i < width; i++) if (h[i * width + i] === 0) h[i * width + i] = 1;
  return h;
}

/** Rows and columns in another order. */
function reordered(h: Float64Array, order: Int32Array): Float64Array {
  const n = order.length;
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) out[i * n + j] = h[order[i]! * n + order[j]!]!;
  return out;
}

/** U of H with a share of the mean of its diagonal added. @throws FormatError kind `non-finite` where even all of it does not suffice */
function damped(h: Float64Array, n: number, share: number): { readonly u: Float64Array; readonly added: number } {
  let mean = 0;
  for (let i = 0; i < n; i++) mean += h[i * n + i]! / n;
  for (let damp = share; damp < 1 || damp === share; damp += DAMP_STEP) {
    const raised = h.slice();
    for (let i = 0; i < n; i++) raised[i * n + i]! += damp * mean;
    const u = inverseCholesky({ rows: n, cols: n, data: raised });
    if (u) return { u: u.data, added: damp * mean };
  }
  throw new FormatError("GPTQ: the Hessian of the inputs is not positive definite, whatever is added to its diagonal", {
    kind: "non-finite",
    hint: "the activations hold numbers that are not finite: look at the model and the samples",
  });
}

/** The grids of a column's group for every row. */
type Grids = (first: number) => { readonly scales: Float64Array; readonly zeros: Float64Array };

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
  { bits, groupSize, sym }: GptqGrids,
  { dampPercent = 0.01, descAct = false, staticGroups = false, blockSize = 128 }: GptqSolverOptions = {},
): GptqSolution {
  const [out, width] = shape;
  if (weight.length !== out * width) throw new ShapeError(`GPTQ: ${weight.length} values for a weight of [${shape}]`);
  if (inputs.width !== width || !inputs.gram)
    throw new ShapeError(
      `GPTQ: the statistics are of ${inputs.width} inputs${inputs.gram ? "" : " without Σ x·xᵀ"}, the weight has ${width}`,
    );
  if (!(inputs.tokens > 0)) throw new ConfigError("GPTQ: the statistics are of no tokens");
  if (!(dampPercent > 0 && dampPercent < 1))
    throw new ConfigError(`GPTQ: dampPercent is ${dampPercent}, expected a number between 0 and 1`);
  if (!(Number.isInteger(blockSize) && blockSize > 0)) throw new ConfigError(`GPTQ: blockSize is ${blockSize}, expected a whole number`);

  const original = Float64Array.from(weight);
  const size = groupSize < 0 ? width : groupSize;
  const count = groupCount(groupSize, width);
  /** The grid of `size` columns from `first` on, for each row. */
  const gridsOf =
    (w: Float64Array): Grids =>
    (first) => {
      const [scales, zeros] = [new Float64Array(out), new Float64Array(out)];
      for (let o = 0; o < out; o++) {
        let [low, high] = [0, 0];
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
  const fixed = staticGroups || groupSize < 0 ? Array.from({ length: count }, (_, g) => gridsOf(original)(g * size)) : undefined;

  const hessian = hessianOf(inputs);
  const order = Int32Array.from({ length: width }, (_, i) => i);
  if (descAct) order.sort((a, b) => hessian[b * width + b]! - hessian[a * width + a]! || a - b);
  const dead = (c: number): boolean => inputs.squares[c] === 0;
  const w = new Float64Array(out * width);
  for (let o = 0; o < out; o++) for (let j = 0; j < width; j++) if (!dead(order[j]!)) w[o * width + j] = original[o * width + order[j]!]!;
  const { u, added } = damped(descAct ? reordered(hessian, order) : hessian, width, dampPercent);

  const codes = new Uint8Array(out * width);
  const exact = new Float64Array(count * out);
  const zeros = new Uint8Array(count * out);
  const groups = new Int32Array(width);
  const keep = (g: number, grid: ReturnType<Grids>): void => {
    exact.set(grid.scales, g * out);
    zeros.set(grid.zeros, g * out);
  };
  fixed?.forEach((grid, g) => keep(g, grid));
  let loss = 0;
  let current = fixed?.[0] ?? { scales: new Float64Array(out), zeros: new Float64Array(out) };
  for (let start = 0; start < width; start += blockSize) {
    const end = Math.min(width, start + blockSize);
    const inBlock = new Float64Array(out * (end - start));
    for (let o = 0; o < out; o++) inBlock.set(w.subarray(o * width + start, o * width + end), o * (end - start));
    for (let j = start; j < end; j++) {
      const column = order[j]!;
      const group = staticGroups ? Math.floor(column / size) : Math.floor(j / size);
      groups[column] = group;
      if (fixed) current = fixed[group]!;
      else if (j % size === 0) keep(group, (current = gridsOf(w)(j)));
      loss += roundColumn({ j, start, end, out, width, column, bits }, inBlock, u, current, codes);
    }
    spread(w, inBlock, u, { start, end, out, width });
  }
  // Σ e² is Δ·H·Δᵀ of the raised H.
  let distance = 0;
  for (let o = 0; o < out; o++)
    for (let c = 0; c < width; c++) {
      const at = groups[c]! * out + o;
      if (!dead(c)) distance += (original[o * width + c]! - exact[at]! * (codes[o * width + c]! - zeros[at]!)) ** 2;
    }
  return {
    integers: { bits, shape, codes, zeros, scales: Float32Array.from(exact), groups },
    loss: (Math.max(0, loss - added * distance) / 2) * (inputs.samples / inputs.tokens),
  };
}

/** Rounds column `j` of a block, spreads its error over the columns behind it in the block, and leaves e where the column was. @returns Σ e² */
function roundColumn(
  at: { j: number; start: number; end: number; out: number; width: number; column: number; bits: IntegerBits },
  block: Float64Array,
  u: Float64Array,
  grids: ReturnType<Grids>,
  codes: Uint8Array,
): number {
  const { j, start, end, out, width, column, bits } = at;
  const columns = end - start;
  const diagonal = u[j * width + j]!;
  const grid: { -readonly [K in keyof Grid]: Grid[K] } = { scale: 0, zero: 0 };
  let sum = 0;
  for (let o = 0; o < out; o++) {
    const from = o * columns;
    const v = block[from + j - start]!;
    grid.scale = grids.scales[o]!;
    grid.zero = grids.zeros[o]!;
    const code = gptqCode(v, grid, bits);
    codes[o * width + column] = code;
    const error = (v - grid.scale * (code - grid.zero)) / diagonal;
    sum += error * error;
    for (let k = j + 1; k < end; k++) block[from + k - start]! -= error * u[j * width + k]!;
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
  { start, end, out, width }: { start: number; end: number; out: number; width: number },
): void {
  const columns = end - start;
  for (let tile = end; tile < width; tile += TILE) {
    const last = Math.min(width, tile + TILE);
    for (let o = 0; o < out; o++)
      for (let j = 0; j < columns; j += 4) {
        const few = Math.min(4, columns - j);
        const from = o * columns + j;
        const [e0, e1, e2, e3] = [
          errors[from]!,
          few > 1 ? errors[from + 1]! : 0,
          few > 2 ? errors[from + 2]! : 0,
          few > 3 ? errors[from + 3]! : 0,
        ];
        const u0 = (start + j) * width;
        const u1 = few > 1 ? u0 + width : u0;
        const u2 = few > 2 ? u1 + width : u0;
        const u3 = few > 3 ? u2 + width : u0;
        for (let c = tile; c < last; c++) w[o * width + c]! -= e0 * u[u0 + c]! + e1 * u[u1 + c]! + (e2 * u[u2 + c]! + e3 * u[u3 + c]!);
      }
  }
}
