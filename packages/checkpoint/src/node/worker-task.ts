import { afterOtherTasks } from "@weft/tensor-core";
import type { JobPlans } from "../plan/plan-jobs.js";
import type { JobResult, TensorJob } from "../plan/tensor-job.js";
import type { Extracted } from "@weft/convert";
import type { MergeLoss } from "../quantize/merge-loss.js";
import type { RowSource } from "../quantize/row-source.js";
import type { ErrorJob, ErrorSums } from "../quantize/error-job.js";
import type { EncodeJob } from "../quantize/encode-job.js";
import type { ExtractSettings, PairResult } from "./extract/extract-pair.js";
import type { Pair } from "./extract/pairs.js";
import type { ByteDifference, ComparedWith } from "./verify-sink.js";

/** What threads share: they take entries of the task one after the other. */
export interface Shared {
  /** 0: next entry; 1: not 0 once the task is to stop. */
  readonly control: Int32Array;
  /** Bytes finished by all threads. */
  readonly done: BigInt64Array;
}

/** Tensors to compute, and where they go. */
export interface TensorTask {
  readonly kind: "tensors";
  readonly jobs: readonly TensorJob[];
  readonly plans: JobPlans;
  /** Values that are stored in another way, by the names that stand for their files. */
  readonly values: ReadonlyMap<string, RowSource>;
  /** Where each output file is written, and what messages call it. */
  readonly outputs: readonly { readonly path: string; readonly name: string }[];
  /** By name where a tensor lies that the result is compared with, instead of writing it. */
  readonly compareWith?: ComparedWith;
  readonly tileBytes: number;
  readonly allowNonFinite: boolean;
  readonly stats: boolean;
}

/** What became of a tensor. */
export interface TensorDone {
  readonly result: JobResult;
  /** SHA-256 of the tensors that it is stored in. */
  readonly hashes: readonly (readonly [name: string, sha256: string])[];
  /** Where it was compared, and is unlike. */
  readonly difference: ByteDifference | undefined;
}

/** Changes of weights to take apart. */
export interface ExtractTask {
  readonly kind: "extract";
  readonly base: string;
  readonly tuned: string;
  readonly pairs: readonly Pair[];
  readonly settings: ExtractSettings;
}

/** Values to encode, and where they go. */
export interface EncodeTask {
  readonly kind: "encode";
  readonly jobs: readonly EncodeJob[];
  /** Where each output file is written, and what messages call it. */
  readonly outputs: readonly { readonly path: string; readonly name: string }[];
}

/** SHA-256 of each tensor that values have become. */
export interface EncodeDone {
  readonly hashes: readonly (readonly [name: string, sha256: string])[];
}

/** Merged weights that are stored in few bits, to be compared with what they should be. */
export interface MeasureTask extends Pick<TensorTask, "jobs" | "plans" | "values" | "tileBytes" | "stats"> {
  readonly kind: "measure";
  /** What is stored, by the names of `values`. */
  readonly written: ReadonlyMap<string, RowSource>;
  /** Of the LoRA that what is lost becomes. */
  readonly rank: number | undefined;
}

/** What of a merged weight is stored. */
export interface MeasureDone {
  readonly loss: MergeLoss;
  /** What is not, with `rank`. */
  readonly factors?: Extracted;
}

/** Weights, and ways to store them whose errors are wanted. */
export interface ErrorTask {
  readonly kind: "errors";
  readonly jobs: readonly ErrorJob[];
}

export type WorkerTask = TensorTask | ExtractTask | EncodeTask | MeasureTask | ErrorTask;
/** What a thread hands back of an entry of its task. */
export type ResultOf<T extends WorkerTask> = T extends TensorTask
  ? TensorDone
  : T extends EncodeTask
    ? EncodeDone
    : T extends MeasureTask
      ? MeasureDone
      : T extends ErrorTask
        ? ErrorSums
        : PairResult;

/** @param transfer arrays in the result that may be handed over instead of copied */
export type Post<R> = (index: number, result: R, transfer: ArrayBuffer[]) => void;

export const entryCount = (task: WorkerTask): number => (task.kind === "extract" ? task.pairs : task.jobs).length;

/** Numbers of entries, as they are free. Between two of them other work of the thread has its turn: signals arrive. */
export async function* freeEntries(task: WorkerTask, { control }: Shared): AsyncIterable<number> {
  for (;;) {
    await afterOtherTasks();
    const index = Atomics.add(control, 0, 1);
    if (index >= entryCount(task) || Atomics.load(control, 1) !== 0) return;
    yield index;
  }
}
