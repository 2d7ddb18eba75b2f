import type { MatrixShape } from "@weft/tensor-core";

/** What became of a weight. */
export interface QuantizedLayer {
  readonly name: string;
  readonly shape: MatrixShape;
  /** What it is stored as: the name of a format, of a type of GGUF files, or of a dtype. */
  readonly format: string;
  readonly bytes: number;
  /** ‖Ŵ - W‖ / ‖W‖; where inputs were measured, each value weighted by the mean of its input's square. */
  readonly error: number;
}
