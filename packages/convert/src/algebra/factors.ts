import type { Svd } from "@weft/tensor-core/linalg";

/** A matrix of low rank as a product: up [out, rank] times down [rank, inputs]. */
export interface Factors {
  readonly out: number;
  readonly rank: number;
  readonly inputs: number;
  readonly up: Float32Array;
  readonly down: Float32Array;
}

/** The first `rank` triplets as up = U·diag(σ) and down = Vᵀ, as LyCORIS and kohya have them; zeros where there are fewer triplets. */
export function factorsOf({ u, s, vt }: Svd, rank: number): Factors {
  const known = Math.min(rank, s.length);
  const up = new Float32Array(u.rows * rank);
  for (let i = 0; i < u.rows; i++) for (let k = 0; k < known; k++) up[i * rank + k] = u.data[i * u.cols + k]! * s[k]!;
  const down = new Float32Array(rank * vt.cols);
  down.set(vt.data.subarray(0, known * vt.cols));
  return { out: u.rows, rank, inputs: vt.cols, up, down };
}
