import { upperRow, upperSize } from "@weft/tensor-core/linalg";

/** What is kept of the inputs x of a layer over all tokens of a calibration. Layers with the same input share one. */
export interface InputStatistics {
  /** Features of the input. */
  readonly width: number;
  /** How many sequences there were, */
  readonly samples: number;
  /** and how many x in all of them. */
  readonly tokens: number;
  /** Σ x², [width]: llama.cpp's importance matrix is their mean. */
  readonly squares: Float64Array;
  /** Σ |x|, [width]: AWQ's scales follow from their mean. */
  readonly magnitudes: Float64Array;
  /** The upper half of Σ x·xᵀ, row after row (`upperRow` of tensor-core): GPTQ's Hessian is 2 / samples of it. Not kept where only the others are asked for. */
  readonly gram?: Float64Array;
}

/** Statistics of nothing, to be added to. */
export const emptyStatistics = (width: number, gram: boolean): InputStatistics => ({
  width,
  samples: 0,
  tokens: 0,
  squares: new Float64Array(width),
  magnitudes: new Float64Array(width),
  ...(gram && { gram: new Float64Array(upperSize(width)) }),
});

/** Sums of one sequence, as a device computes them. */
export interface StatisticsOfSample {
  readonly tokens: number;
  /** [width]. */
  readonly squares: ArrayLike<number>;
  readonly magnitudes: ArrayLike<number>;
}

/** The statistics with those of one more sequence, but for Σ x·xᵀ. The arrays of the first are added to and used on. @see addGram */
export function addStatistics(to: InputStatistics, { tokens, squares, magnitudes }: StatisticsOfSample): InputStatistics {
  for (let i = 0; i < to.width; i++) {
    to.squares[i]! += squares[i]!;
    to.magnitudes[i]! += magnitudes[i]!;
  }
  return { ...to, samples: to.samples + 1, tokens: to.tokens + tokens };
}

/** Adds some rows of Σ x·xᵀ of a sequence. @param rows those from `first` on, from column `first` on, row-major */
export function addGram({ gram, width }: InputStatistics, first: number, rows: ArrayLike<number>): void {
  const columns = width - first;
  for (let i = first; (i - first) * columns < rows.length; i++) {
    const [to, from] = [upperRow(width, i), (i - first) * columns - first];
    for (let j = i; j < width; j++) gram![to + j]! += rows[from + j]!;
  }
}

/**
 * The statistics of the inputs of one sequence.
 * @param x row-major [tokens, width]
 * @param to statistics to add to; their arrays are used on
 */
export function inputStatistics(x: Float32Array, width: number, to: InputStatistics = emptyStatistics(width, true)): InputStatistics {
  const { squares, magnitudes, gram } = to;
  for (let from = 0; from < x.length; from += width)
    for (let i = 0; i < width; i++) {
      const v = x[from + i]!;
      squares[i]! += v * v;
      magnitudes[i]! += Math.abs(v);
      const row = upperRow(width, i);
      if (gram && v !== 0) for (let j = i; j < width; j++) gram[row + j]! += v * x[from + j]!;
    }
  return { ...to, samples: to.samples + 1, tokens: to.tokens + x.length / width };
}

/** What each input counts, the mean of x²: `quantize` takes it for the K types of GGUF. @see llama.cpp `tools/imatrix`, which stores the sums and the number of tokens */
export const importanceOf = ({ squares, tokens }: Pick<InputStatistics, "squares" | "tokens">): Float32Array =>
  Float32Array.from(squares, (sum) => sum / tokens);

/** Σ over tokens of ‖x·Dᵀ‖² for a difference of weights D [rows, width]: what it changes of a layer's result, squared; without Σ x·xᵀ as if inputs were independent. */
export function resultError(
  difference: Float64Array | Float32Array,
  rows: number,
  { width, gram, squares }: Pick<InputStatistics, "width" | "gram" | "squares">,
): number {
  let error = 0;
  for (let r = 0; r < rows; r++) {
    if (gram) error += quadratic(gram, width, 0, width, difference, r * width);
    else for (let i = 0; i < width; i++) error += difference[r * width + i]! ** 2 * squares[i]!;
  }
  return error;
}

/** d·G·dᵀ with the part of a symmetric G, given by its upper half, that belongs to columns start … end. @param at where d begins */
export function quadratic(
  gram: Float64Array,
  width: number,
  start: number,
  end: number,
  d: Float64Array | Float32Array,
  at: number,
): number {
  let error = 0;
  for (let i = start; i < end; i++) {
    const own = d[at + i - start]!;
    if (own === 0) continue;
    const row = upperRow(width, i);
    let sum = (gram[row + i]! * own) / 2;
    for (let j = i + 1; j < end; j++) sum += gram[row + j]! * d[at + j - start]!;
    error += own * sum;
  }
  return 2 * error;
}
