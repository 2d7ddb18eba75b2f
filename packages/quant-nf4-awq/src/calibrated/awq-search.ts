import type { MatrixShape } from "@weft/tensor-core";
import { awqGrid } from "../integer/grids.js";
import { groupCount } from "../integer/integer-format.js";
import { roundHalfToEven } from "../rounding.js";
import { type InputStatistics, quadratic } from "./input-statistics.js";

const { fround } = Math;

/** What is tried for the scales of AWQ. */
export interface AwqSearchOptions {
  /** Columns that share a scale; -1 for all of a row. */
  readonly groupSize: number;
  /** Exponents r = 0, 1/gridSize, … that are tried. Default 20. */
  readonly gridSize?: number;
  /** Divide by the weights' share of the group's largest, as AutoAWQ does; without it scales follow from the inputs alone, as llm-awq's. Default true. */
  readonly duoScaling?: boolean;
}

/** Rows of weights [rows, width] that share their input. */
export interface StackedWeights {
  readonly values: Float32Array;
  readonly shape: MatrixShape;
}

/** Where each group of a row begins, and where the last one ends. */
const borders = (groupSize: number, width: number): readonly number[] => {
  const size = groupSize < 0 ? width : groupSize;
  return Array.from({ length: groupCount(groupSize, width) + 1 }, (_, g) => Math.min(width, g * size));
};

/** Rounds weights to AWQ's grids and back, in f32. @param into gets the values */
function roundTrip({ values, shape: [rows, width] }: StackedWeights, groupSize: number, into: Float32Array): void {
  const ends = borders(groupSize, width);
  for (let o = 0; o < rows; o++)
    for (let g = 0; g + 1 < ends.length; g++)
      roundGroup(values, o * width + ends[g]!, o * width + ends[g + 1]!, Infinity, into, o * width + ends[g]!);
}

/** Rounds neighbours, limited to ±most, to their grid and back. */
function roundGroup(values: Float32Array, from: number, to: number, most: number, into: Float32Array, at: number): void {
  let [low, high] = [Infinity, -Infinity];
  for (let i = from; i < to; i++) {
    const v = values[i]!;
    if (v < low) low = v;
    if (v > high) high = v;
  }
  const { scale, zero } = awqGrid(Math.max(low, -most), Math.min(high, most), fround);
  for (let i = from; i < to; i++) {
    const v = values[i]!;
    const x = fround((v > most ? most : v < -most ? -most : v) / scale);
    const code = roundHalfToEven(x) + zero;
    into[at + i - from] = fround((code < 0 ? 0 : code > 15 ? 15 : code) - zero) * scale;
  }
}

/** The scales of one exponent: x^r / (w^(1-r) + 1e-4), at least 1e-4, over the geometric middle of the largest and the smallest. */
function scalesOf(means: Float32Array, shares: Float32Array | undefined, r: number): Float32Array {
  const raised = (x: number, i: number): number =>
    shares ? fround(fround(x ** r) / fround(fround(shares[i]! ** (1 - r)) + fround(1e-4))) : fround(x ** r);
  const scales = Float32Array.from(means, (x, i) => Math.max(fround(1e-4), raised(x, i)));
  let [low, high] = [Infinity, 0];
  for (const s of scales) {
    low = Math.min(low, s);
    high = Math.max(high, s);
  }
  const middle = fround(Math.sqrt(fround(high * low)));
  return scales.map((s) => {
    const scaled = s / middle;
    return Number.isFinite(scaled) ? scaled : 1;
  });
}

/** For each column, the mean over the rows of |w| / (the largest |w| of its group + 1e-6). */
function sharesOf({ values, shape: [rows, width] }: StackedWeights, groupSize: number): Float32Array {
  const ends = borders(groupSize, width);
  const shares = new Float64Array(width);
  for (let o = 0; o < rows; o++)
    for (let g = 0; g + 1 < ends.length; g++) {
      let most = 0;
      for (let c = ends[g]!; c < ends[g + 1]!; c++) most = Math.max(most, Math.abs(values[o * width + c]!));
      for (let c = ends[g]!; c < ends[g + 1]!; c++) shares[c]! += fround(Math.abs(values[o * width + c]!) / fround(most + fround(1e-6)));
    }
  return Float32Array.from(shares, (sum) => sum / rows);
}

/** What a search for scales has found. */
export interface ScaleSearch {
  /** A factor for each input: weights are multiplied by them, inputs divided. */
  readonly scales: Float32Array;
  /** The exponent that they belong to. */
  readonly ratio: number;
  /** The loss of every exponent that was tried. */
  readonly losses: readonly number[];
}

/**
 * AWQ's scales for layers with one input: of those that each exponent of a grid gives, the ones with which rounding changes the result least; the first of several.
 * @param loss what the result is off by when these weights, rounded, stand in: W′ = Q(W·s) / s
 * @see Lin et al. 2023 (AWQ); AutoAWQ `quantize/quantizer.py` _search_best_scale
 */
export async function searchScales(
  weights: StackedWeights,
  { magnitudes, tokens }: Pick<InputStatistics, "magnitudes" | "tokens">,
  { groupSize, gridSize = 20, duoScaling = true }: AwqSearchOptions,
  loss: (rounded: Float32Array) => Promise<number>,
): Promise<ScaleSearch> {
  const { values, shape } = weights;
  const width = shape[1];
  const means = Float32Array.from(magnitudes, (sum) => sum / tokens);
  const shares = duoScaling ? sharesOf(weights, groupSize) : undefined;
  const losses: number[] = [];
  let best: ScaleSearch | undefined;
  for (let k = 0; k < gridSize; k++) {
    const scales = scalesOf(means, shares, k / gridSize);
    const rounded = new Float32Array(values.length);
    roundTrip({ values: scaleColumns(values, scales), shape }, groupSize, rounded);
    for (let i = 0; i < rounded.length; i++) rounded[i]! /= scales[i % width]!;
    losses.push(await loss(rounded));
    if (!best || losses[k]! < losses[Math.round(best.ratio * gridSize)]!) best = { scales, ratio: k / gridSize, losses };
  }
  return best!;
}

/** Columns times their factors. */
export const scaleColumns = (values: Float32Array, scales: Float32Array): Float32Array =>
  values.map((v, i) => v * scales[i % scales.length]!);

/** Shares of a group's largest magnitude that are tried: 1, 0.95 … 0.55. */
const CLIPS = /* @__PURE__ */ Array.from({ length: 10 }, (_, j) => 1 - j / 20);

/**
 * Limits every group of every row to where rounding it changes x·w least: of ten limits the best, the larger of two.
 * @param gram the upper half of Σ x·xᵀ of the inputs as these weights see them
 * @returns the weights, limited; and the limits [rows, groups]
 * @see AutoAWQ `quantize/quantizer.py` _search_best_clip, which looks at 512 tokens or a few more
 */
export function searchClip(
  { values, shape: [rows, width] }: StackedWeights,
  gram: Float64Array,
  groupSize: number,
): { readonly values: Float32Array; readonly limits: Float32Array } {
  const ends = borders(groupSize, width);
  const count = ends.length - 1;
  const limits = new Float32Array(rows * count);
  const clipped = values.slice();
  const rounded = new Float32Array(Math.max(...ends.slice(1).map((end, g) => end - ends[g]!)));
  const difference = new Float64Array(rounded.length);
  for (let g = 0; g < count; g++) {
    const [start, end] = [ends[g]!, ends[g + 1]!];
    for (let o = 0; o < rows; o++) {
      const from = o * width + start;
      let largest = 0;
      for (let i = from; i < o * width + end; i++) largest = Math.max(largest, Math.abs(values[i]!));
      let [limit, least] = [largest, Infinity];
      for (const share of CLIPS) {
        const most = fround(largest * share);
        roundGroup(values, from, o * width + end, most, rounded, 0);
        for (let i = 0; i < end - start; i++) difference[i] = rounded[i]! - values[from + i]!;
        const error = quadratic(gram, width, start, end, difference, 0);
        if (!(error < least)) continue;
        least = error;
        limit = most;
      }
      limits[o * count + g] = limit;
      for (let i = from; i < o * width + end; i++) clipped[i] = Math.max(-limit, Math.min(limit, values[i]!));
    }
  }
  return { values: clipped, limits };
}
