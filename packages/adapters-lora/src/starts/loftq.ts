import { cast, type LayerSpec, type Params, swapLast, type Tensor } from "@weft/tensor-core";
import { matrix, type Matrix, product, truncatedSvd } from "@weft/tensor-core/linalg";
import { hostMatrix, pickColumns, pickRows, range, toTensor } from "../init/host-matrix.js";
import type { LoraConfigFields } from "../lora/config.js";

/** What is left of a matrix [out, in], row by row in f32, by quantising it and back. */
export type Quantise = (values: Float32Array, rows: number, columns: number) => Float32Array | Promise<Float32Array>;

/** The 16 values of NF4. @see Dettmers et al. 2023 (QLoRA), appendix E; bitsandbytes `functional.py` */
const NF4 = [
  -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
  0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
  0.7229568362236023, 1,
];
const BLOCK = 64;

/** NF4 of bitsandbytes: blocks of 64 values by their largest magnitude, each value the nearest of 16. */
export const quantiseNf4 = (values: Float32Array): Float32Array => {
  const result = new Float32Array(values.length);
  for (let start = 0; start < values.length; start += BLOCK) {
    const block = values.subarray(start, start + BLOCK);
    const largest = block.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    block.forEach((v, i) => {
      const share = largest > 0 ? Math.fround(v / largest) : 0;
      const nearest = NF4.reduce((best, code) => (Math.abs(code - share) < Math.abs(best - share) ? code : best));
      result[start + i] = Math.fround(nearest) * largest;
    });
  }
  return result;
};

/** int8 of bitsandbytes: rows by their largest magnitude, in steps of its 127th part. */
export const quantiseInt8 = (values: Float32Array, rows: number, columns: number): Float32Array => {
  const result = new Float32Array(values.length);
  for (let i = 0; i < rows; i++) {
    const row = values.subarray(i * columns, (i + 1) * columns);
    const largest = row.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    row.forEach((v, j) => (result[i * columns + j] = largest > 0 ? (roundHalfEven((v * 127) / largest) * largest) / 127 : 0));
  }
  return result;
};

function roundHalfEven(x: number): number {
  const down = Math.floor(x);
  return x - down === 0.5 ? down + (down & 1) : Math.round(x);
}

/**
 * LoftQ (Li et al. 2023): Q = quant(W - B·A) and B·A = the rank-r part of W - Q in turns, `loftq_iter` times from B·A = 0. The base becomes Q.
 * @param quantise by default NF4 or int8, as `loftq_bits` says
 * @see peft `utils/loftq_utils.py` loftq_init, which takes CUDA
 */
export async function loftqFactors(
  config: LoraConfigFields,
  layer: LayerSpec,
  weight: Tensor,
  quantise?: Quantise,
): Promise<{ readonly params: Params; readonly weight: Tensor }> {
  const { loftqBits = 4, loftqIter = 1 } = config.loftqConfig;
  const quant = quantise ?? (loftqBits === 8 ? quantiseInt8 : quantiseNf4);
  const w = await hostMatrix(weight, layer);
  const minus = (m: Matrix): Matrix =>
    matrix(
      w.rows,
      w.cols,
      w.data.map((v, i) => v - m.data[i]!),
    );
  const first = range(Math.min(config.r, w.rows, w.cols));
  let rest = w;
  let quantised = w;
  let factors: { readonly a: Matrix; readonly b: Matrix } | undefined;
  for (let round = 0; round < loftqIter; round++) {
    if (factors) rest = minus(product(factors.b, factors.a));
    quantised = matrix(w.rows, w.cols, await quant(Float32Array.from(rest.data), w.rows, w.cols));
    const { u, s, vt } = truncatedSvd(minus(quantised), config.r);
    const root = s.map(Math.sqrt);
    factors = { a: pickRows(vt, first, root), b: pickColumns(u, first, root) };
  }
  const base = toTensor(quantised);
  return {
    params: { A: toTensor(factors!.a), B: toTensor(factors!.b) },
    weight: cast(layer.transposed ? swapLast(base) : base, weight.dtype),
  };
}
