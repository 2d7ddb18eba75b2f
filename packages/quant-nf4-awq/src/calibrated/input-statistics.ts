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
  /** Σ x·xᵀ, [width, width], symmetric: GPTQ's Hessian is 2 / samples of it. Not kept where only the others are asked for. */
  readonly gram?: Float64Array;
}

/** Statistics of nothing, to be added to. */
export const emptyStatistics = (width: number, gram: boolean): InputStatistics => ({
  width,
  samples: 0,
  tokens: 0,
  squares: new Float64Array(width),
  magnitudes: new Float64Array(width),
  ...(gram && { gram: new Float64Array(width * width) }),
});

/** Sums of one sequence, as a device computes them. */
export interface StatisticsOfSample {
  readonly tokens: number;
  /** [width], or the diagonal of `gram` where that is given. */
  readonly squares?: ArrayLike<number>;
  readonly magnitudes: ArrayLike<number>;
  readonly gram?: ArrayLike<number>;
}

/** The statistics with those of one more sequence. The arrays of the first are added to and used on. */
export function addStatistics(to: InputStatistics, some: StatisticsOfSample): InputStatistics {
  const { width, squares, magnitudes, gram } = to;
  for (let i = 0; i < width; i++) {
    squares[i]! += some.gram ? some.gram[i * width + i]! : some.squares![i]!;
    magnitudes[i]! += some.magnitudes[i]!;
  }
  if (gram) for (let i = 0; i < gram.length; i++) gram[i]! += some.gram![i]!;
  return { ...to, samples: to.samples + 1, tokens: to.tokens + some.tokens };
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
      if (gram && v !== 0) for (let j = 0; j < width; j++) gram[i * width + j]! += v * x[from + j]!;
    }
  return { ...to, samples: to.samples + 1, tokens: to.tokens + x.length / width };
}

/** What each input counts, the mean of x²: `quantize` takes it for the K types of GGUF. @see llama.cpp `tools/imatrix`, which stores the sums and the number of tokens */
export const importanceOf = ({ squares, tokens }: InputStatistics): Float32Array => Float32Array.from(squares, (sum) => sum / tokens);

/** Σ over tokens of ‖x·Dᵀ‖² for a difference of weights D [rows, width]: what it changes of a layer's result, squared. */
export function resultError(difference: Float64Array | Float32Array, rows: number, { width, gram, squares }: InputStatistics): number {
  let error = 0;
  for (let r = 0; r < rows; r++)
    for (let i = 0; i < width; i++) {
      const d = difference[r * width + i]!;
      if (d === 0) continue;
      if (!gram) {
        error += d * d * squares[i]!;
        continue;
      }
      let sum = 0;
      for (let j = 0; j < width; j++) sum += gram[i * width + j]! * difference[r * width + j]!;
      error += d * sum;
    }
  return error;
}
