import { RowEncoder } from "@weft/quant-nf4-awq";
import { type EncodeTo, encoderFormat, matrixOf, tileRows } from "./encode-job.js";
import type { RowSource } from "./row-source.js";

/** What a weight could be stored as, or is stored as already: then what its inputs are divided by, where they are. */
export type Candidate = EncodeTo | { readonly kind: "stored"; readonly source: RowSource; readonly scales?: Float32Array };

/** A weight, and ways to store it whose errors are wanted. Plain data. */
export interface ErrorJob {
  readonly name: string;
  readonly source: RowSource;
  readonly candidates: readonly Candidate[];
  /** What each input counts, [in]; all the same if not given. */
  readonly importance?: Float32Array;
}

/** Sums over the values of a weight W: Σ c·W², and for each candidate Ŵ Σ c·(Ŵ - W)², c what the value's input counts. */
export interface ErrorSums {
  readonly size: number;
  readonly errors: readonly number[];
}

/** ‖Ŵ - W‖ / ‖W‖ of a candidate, weighted by what inputs count. */
export const relativeError = ({ size, errors }: ErrorSums, candidate: number): number =>
  errors[candidate] === 0 ? 0 : Math.sqrt(errors[candidate]! / size);

/** Bytes that a value of a tile takes at most while its errors are computed. */
const PER_VALUE = 32;

/** Bytes that a thread holds at most while it computes the errors of a weight. */
export function errorBytes({ source, candidates }: ErrorJob, together: number): number {
  const shape = matrixOf(source);
  const packed = (one: RowSource): number => Object.values(one.packed?.tensors ?? {}).reduce((sum, { bytes }) => sum + bytes, 0);
  const kept = candidates.map((one) => {
    if (one.kind === "stored") return packed(one.source);
    const format = encoderFormat(one);
    return format ? RowEncoder.keptBytes(format, [tileRows(shape, together), shape[1]]) : 0;
  });
  return packed(source) + Math.max(0, ...kept) + PER_VALUE * tileRows(shape, together) * shape[1];
}
