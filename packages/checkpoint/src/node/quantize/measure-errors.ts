import { CancelledError, decode, encode, FormatError, type MatrixShape } from "@weft/tensor-core";
import { dequantize, type QuantFormat } from "@weft/quant-nf4-awq";
import { type EncodeTo, encoderFormat, matrixOf, tileRows } from "../../quantize/encode-job.js";
import { type Candidate, type ErrorJob, type ErrorSums } from "../../quantize/error-job.js";
import { FileSet } from "../file-set.js";
import { type ErrorTask, freeEntries, type Post, type Shared } from "../worker-task.js";
import { togetherOf } from "./encode-tensors.js";
import { RowReader } from "./row-reader.js";

/** Rows that the candidates of a job must be given together. */
export const togetherOfErrors = ({ source, candidates }: ErrorJob): number =>
  Math.max(1, ...candidates.map((to) => (to.kind === "stored" ? 1 : togetherOf({ source, to }))));

/** Computes the errors of jobs, as they are free. @throws FormatError kind `non-finite`, IoError, CancelledError */
export async function measureErrors(task: ErrorTask, shared: Shared, post: Post<ErrorSums>): Promise<void> {
  const files = new FileSet();
  // Each holds the quantised weight that it read of last.
  const [base, stored] = [new RowReader(files), new RowReader(files)];
  try {
    for await (const index of freeEntries(task, shared)) {
      const job = task.jobs[index]!;
      post(index, await errorsOf(job, base, stored, shared), []);
      Atomics.add(shared.done, 0, BigInt(matrixOf(job.source)[0] * matrixOf(job.source)[1]));
    }
  } finally {
    await Promise.all([base.close(), stored.close()]);
    await files.close();
  }
}

async function errorsOf(job: ErrorJob, base: RowReader, stored: RowReader, { control }: Shared): Promise<ErrorSums> {
  const { name, source, candidates, importance } = job;
  const shape = matrixOf(source);
  const [rows, width] = shape;
  const step = tileRows(shape, togetherOfErrors(job));
  const tiles = Array.from({ length: Math.ceil(rows / step) }, (_, i): [number, number] => [i * step, Math.min(rows, (i + 1) * step)]);
  const read = async (start: number, stop: number): Promise<Float32Array> => {
    // Signals arrive between tiles.
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (Atomics.load(control, 1) !== 0) throw new CancelledError();
    const values = await base.read(source, start, stop);
    const bad = values.findIndex((v) => !Number.isFinite(v));
    if (bad < 0) return values;
    const at = `[${start + Math.floor(bad / width)}, ${bad % width}]`;
    throw new FormatError(`${name}: the value at ${at} is ${values[bad]}, expected a finite number`, {
      kind: "non-finite",
      tensor: name,
      hint: "weft inspect --stats finds tensors with such values",
    });
  };
  let largest = 0;
  if (candidates.some((one) => one.kind !== "stored" && encoderFormat(one)?.readsLargest))
    for (const tile of tiles) for (const v of await read(...tile)) largest = Math.max(largest, Math.abs(v));
  let size = 0;
  const errors = candidates.map(() => 0);
  for (const [start, stop] of tiles) {
    const values = await read(start, stop);
    size += weighted(values, undefined, width, importance);
    for (const [i, candidate] of candidates.entries()) {
      if (candidate.kind === "copy") continue;
      const got = await valuesAs(candidate, values, [start, stop], width, stored, largest);
      errors[i]! += weighted(values, got, width, importance);
    }
  }
  return { size, errors };
}

/** Σ c·(w - ŵ)², or of w itself. */
function weighted(w: Float32Array, approximate: Float32Array | undefined, width: number, importance: Float32Array | undefined): number {
  let sum = 0;
  for (let from = 0; from < w.length; from += width)
    for (let c = 0; c < width; c++) {
      const v = approximate ? w[from + c]! - approximate[from + c]! : w[from + c]!;
      sum += importance ? importance[c]! * v * v : v * v;
    }
  return sum;
}

/** Rows as a candidate has them. */
async function valuesAs(
  to: Candidate,
  values: Float32Array,
  [start, stop]: readonly [number, number],
  width: number,
  stored: RowReader,
  largest: number,
): Promise<Float32Array> {
  if (to.kind === "stored") {
    const read = await stored.read(to.source, start, stop);
    return to.scales ? read.map((v, i) => v / to.scales![i % width]!) : read;
  }
  if (to.kind === "cast") return Float32Array.from(decode(encode(values, to.dtype), to.dtype));
  return roundTrip(values, [stop - start, width], to, stored, largest);
}

async function roundTrip(
  values: Float32Array,
  shape: MatrixShape,
  to: EncodeTo,
  reader: RowReader,
  largest: number,
): Promise<Float32Array> {
  const format: QuantFormat = encoderFormat(to)!;
  const dtype = to.kind === "quantized" ? to.dtype : "f32";
  const importance = to.kind === "ggml" ? to.importance : undefined;
  const parts =
    importance && format.encodeWeighted
      ? format.encodeWeighted(values, shape, importance)
      : format.encode!(values, shape, format.readsLargest ? largest : undefined);
  return dequantize({ format, shape, dtype, parts }, await reader.device());
}
