import { sizeOf } from "@weft/tensor-core";
import { type ErrorJob, relativeError } from "../../quantize/error-job.js";
import { type RowSource, turned } from "../../quantize/row-source.js";
import { openEncodeBase } from "./encode-base.js";
import type { QuantizedLayer } from "./quantized-layer.js";
import type { EncodeJobOptions } from "./run-encode.js";
import { runErrors } from "./run-errors.js";

/** A weight that was written. */
export interface WrittenLayer {
  /** As it would be called unquantised, in a checkpoint of transformers. */
  readonly name: string;
  readonly format: string;
  readonly bytes: number;
  /** Where its values are from. */
  readonly source: RowSource;
  /** What inputs are divided by now. */
  readonly scales?: Float32Array | undefined;
  readonly importance?: Float32Array | undefined;
  /** It is [in, out] in the checkpoint, and measured as [out, in], since importance is by input. */
  readonly transposed?: boolean | undefined;
}

/** Reads what was written, and compares it with what it was made from. @param path of the output */
export async function measureLayers(path: string, written: readonly WrittenLayer[], options: EncodeJobOptions): Promise<QuantizedLayer[]> {
  const stored = new Map((await openEncodeBase(path)).tensors.map(({ name, source }) => [name, source]));
  const jobs = written.map(({ name, source, scales, importance, transposed }): ErrorJob => ({
    name,
    source: transposed ? turned(source) : source,
    candidates: [{ kind: "stored", source: transposed ? turned(stored.get(name)!) : stored.get(name)!, ...(scales && { scales }) }],
    ...(importance && { importance }),
  }));
  const sums = await runErrors("measure", jobs, options);
  return written.map(({ name, format, bytes, source: { shape } }, i) => ({
    name,
    shape: [shape[0]!, sizeOf(shape) / shape[0]!],
    format,
    bytes,
    error: Number(relativeError(sums[i]!, 0).toPrecision(6)),
  }));
}
