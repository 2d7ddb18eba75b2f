import { sizeOf } from "@weft/tensor-core";
import type { MergeOptions } from "./options.js";
import type { OutputFile, Prepared, TensorJob } from "./prepare.js";
import { buildTile } from "./tile-runner.js";
import type { PlacedTensor } from "@weft/io-safetensors";

/** A piece of work: some bytes that are copied, or some rows that are computed, of one tensor. */
export interface Work {
  readonly file: number;
  readonly tensor: PlacedTensor & { readonly job: TensorJob };
  /** Rows of the first axis; undefined: the bytes `from … to-1` are copied as they are. */
  readonly rows?: { readonly start: number; readonly stop: number };
  readonly from: number;
  readonly to: number;
}

/** Bytes that are copied at a time. */
const COPY_BYTES: number = 8 << 20;

/** True if the tensor is written with the bytes of the base. */
export function isCopy({ source, changes, entry }: TensorJob): boolean {
  return changes.length === 0 && source?.dtype === entry.dtype;
}

/** All work of a merge in the order of the output. The same for every thread. */
export function listWork(prepared: Prepared, options: MergeOptions): Work[] {
  const tileable = new Map<string, boolean>();
  return prepared.files.flatMap((file: OutputFile, f) =>
    file.tensors.flatMap((tensor): Work[] => {
      const { job } = tensor;
      if (isCopy(job)) return split(tensor.bytes, COPY_BYTES, 1).map(([from, to]) => ({ file: f, tensor, from, to }));
      const [rows, ...rest] = tensor.shape.length === 0 ? [1] : tensor.shape;
      const rowBytes = rows === 0 ? 0 : tensor.bytes / rows!;
      const whole = { file: f, tensor, rows: { start: 0, stop: rows! }, from: 0, to: tensor.bytes };
      if (tensor.bytes <= options.tileBytes || !isTileable(job, rows!, rest, prepared, options, tileable)) return [whole];
      return split(tensor.bytes, options.tileBytes, rowBytes).map(([from, to]) => ({ file: f, tensor, rows: { start: from / rowBytes, stop: to / rowBytes }, from, to }));
    }),
  );
}

/** Whether rows can be computed on their own; asked once per kind of layer. */
function isTileable(job: TensorJob, rows: number, rest: readonly number[], prepared: Prepared, options: MergeOptions, known: Map<string, boolean>): boolean {
  const key = JSON.stringify([rows, rest, job.changes.map((c) => [c.kind, c.adapter, "module" in c ? [c.module.layer, [...c.module.tensors.keys()]] : 0])]);
  let answer = known.get(key);
  // Rows of a replaced tensor come from the adapter, and new rows shift none; both are small enough to be done at once.
  answer ??= sizeOf(job.entry.shape) > 0 && job.changes.every((c) => c.kind === "weight") && buildTile(job, { start: 0, stop: Math.ceil(rows / 2) }, prepared, options) !== undefined;
  known.set(key, answer);
  return answer;
}

/** Ranges of at most `limit` bytes, but at least one `unit`, cut at multiples of `unit`. */
function split(bytes: number, limit: number, unit: number): [from: number, to: number][] {
  const step = Math.max(unit, Math.floor(limit / unit) * unit);
  const ranges: [number, number][] = [];
  for (let from = 0; from < bytes; from += step) ranges.push([from, Math.min(bytes, from + step)]);
  return ranges;
}
