import { ConfigError, FormatError } from "@weft/tensor-core";
import { inverseCholesky, upperRow } from "@weft/tensor-core/linalg";
import type { InputStatistics } from "./input-statistics.js";

/** How the Hessian of the inputs is used. */
export interface GptqFactorOptions {
  /** Share of the mean of the Hessian's diagonal that is added to the diagonal; 0.01 raised step by step where it does not suffice. Default 0.01. */
  readonly dampPercent?: number;
  /** Quantise inputs in the order of their energy, the largest first; `g_idx` says which group each has come to. Default false. */
  readonly descAct?: boolean;
}

/** What GPTQ needs to know of the inputs, for all weights that see them. */
export interface GptqFactor {
  readonly width: number;
  readonly samples: number;
  readonly tokens: number;
  /** Which input is the first to be quantised, the second … */
  readonly order: Int32Array;
  /** Inputs, as they are, that never were anything but 0. */
  readonly dead: readonly boolean[];
  /** The upper Cholesky factor of H⁻¹, H = 2 / samples · Σ x·xᵀ with something added to its diagonal, in that order: its upper half, row after row. */
  readonly u: Float64Array;
  /** What was added to the diagonal. */
  readonly added: number;
}

const DAMP_STEP = 0.01;

/** An upper half in another order of rows and columns. */
function reordered(h: Float64Array, order: Int32Array): Float64Array {
  const n = order.length;
  const out = new Float64Array(h.length);
  for (let i = 0; i < n; i++) {
    const row = upperRow(n, i);
    const own = order[i]!;
    for (let j = i; j < n; j++) {
      const other = order[j]!;
      out[row + j] = h[own < other ? upperRow(n, own) + other : upperRow(n, other) + own]!;
    }
  }
  return out;
}

/**
 * The factor of statistics with Σ x·xᵀ, whose memory it takes over.
 * @throws ConfigError; FormatError kind `non-finite` where even all of the diagonal added to it does not suffice
 */
export function gptqFactor(
  { gram, squares, width, samples, tokens }: InputStatistics,
  { dampPercent = 0.01, descAct = false }: GptqFactorOptions = {},
): GptqFactor {
  if (!(dampPercent > 0 && dampPercent < 1))
    throw new ConfigError(`GPTQ: dampPercent is ${dampPercent}, expected a number between 0 and 1`);
  const h = gram!;
  const dead = Array.from(squares, (sum) => sum === 0);
  for (let i = 0; i < h.length; i++) h[i]! *= 2 / samples;
  for (let i = 0; i < width; i++) if (dead[i]) h[upperRow(width, i) + i] = 1;
  const diagonal = Float64Array.from({ length: width }, (_, i) => h[upperRow(width, i) + i]!);
  const order = Int32Array.from({ length: width }, (_, i) => i);
  if (descAct) order.sort((a, b) => diagonal[b]! - diagonal[a]! || a - b);
  const u = descAct ? reordered(h, order) : h;
  const mean = diagonal.reduce((sum, v) => sum + v, 0) / width;
  // For another try: in f32, which is less than what is added.
  const kept = Float32Array.from(u);
  for (let damp = dampPercent; damp < 1 || damp === dampPercent; damp += DAMP_STEP) {
    if (damp > dampPercent) u.set(kept);
    for (let i = 0; i < width; i++) u[upperRow(width, i) + i]! += damp * mean;
    if (inverseCholesky(u, width)) return { width, samples, tokens, order, dead, u, added: damp * mean };
  }
  throw new FormatError("GPTQ: the Hessian of the inputs is not positive definite, whatever is added to its diagonal", {
    kind: "non-finite",
    hint: "the activations hold numbers that are not finite: look at the model and the samples",
  });
}
