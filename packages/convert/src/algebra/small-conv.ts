import { matrix, truncatedSvd } from "@weft/tensor-core/linalg";

/** A down factor of a convolution as a Tucker core and a factor over the channels. */
export interface TuckerParts {
  /** [rank, inner, kernel]. */
  readonly mid: Float32Array;
  /** [inner, channels]. */
  readonly down: Float32Array;
  readonly inner: number;
}

/**
 * LyCORIS's `small_conv`: a second SVD, of the down factor [rank, channels, kernel] over its channel axis, at the same rank. Small, and a large loss
 * for kernels that are dense.
 * @see LyCORIS `lycoris/utils/__init__.py` extract_diff
 */
export function splitKernel(down: Float32Array, rank: number, channels: number, kernel: number): TuckerParts {
  const byChannel = matrix(channels, rank * kernel);
  for (let p = 0; p < rank; p++)
    for (let i = 0; i < channels; i++)
      for (let k = 0; k < kernel; k++) byChannel.data[(i * rank + p) * kernel + k] = down[(p * channels + i) * kernel + k]!;
  const { u, s, vt } = truncatedSvd(byChannel, rank);
  const inner = s.length;
  const mid = new Float32Array(rank * inner * kernel);
  for (let p = 0; p < rank; p++)
    for (let q = 0; q < inner; q++)
      for (let k = 0; k < kernel; k++) mid[(p * inner + q) * kernel + k] = vt.data[q * vt.cols + p * kernel + k]!;
  const small = new Float32Array(inner * channels);
  for (let q = 0; q < inner; q++) for (let i = 0; i < channels; i++) small[q * channels + i] = u.data[i * u.cols + q]! * s[q]!;
  return { mid, down: small, inner };
}
