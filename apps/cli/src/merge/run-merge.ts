import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, rmSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { indexText } from "@weft/io-safetensors";
import { AtomicFile, ioError, Journal, removeStale, writeFileAtomic } from "@weft/io-safetensors/node";
import { enableRelaxedSimd } from "@weft/kernels-wasm/node";
import { CancelledError, ConfigError, IoError, WeftError, type WeftErrorCode } from "@weft/tensor-core";
import type { MergeOptions } from "./options.js";
import type { Prepared } from "./prepare.js";
import { carryOver } from "./carry-over.js";
import { FileFinisher } from "./file-finisher.js";
import { STOP, type WorkerInput, type WorkerMessage } from "./worker-protocol.js";
import { listWork } from "./work.js";

export interface RunOptions {
  readonly out: string;
  readonly jobs: number;
  readonly force: boolean;
  readonly signal: AbortSignal;
  onProgress(done: number, tensor: string): void;
}

/** A finished file of the output. */
export interface WrittenFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** Changes with the way that outputs are computed, so that an older version's unfinished job is not continued. */
const ENGINE_VERSION = 1;

/** What the output depends on: options but for those that only concern speed, and the identity of every input file. */
function jobIdentity(prepared: Prepared, all: MergeOptions): string {
  const options = Object.entries(all).filter(([name]) => name !== "tileBytes");
  const inputs = [...new Set([...prepared.base.names()].map((n) => prepared.base.info(n).file)), ...prepared.adapters.map((a) => a.weights.location)];
  const stats = inputs.map((file) => {
    const { size, mtimeMs } = statSync(file);
    return [file, size, mtimeMs];
  });
  return createHash("sha256").update(JSON.stringify([ENGINE_VERSION, options, stats])).digest("hex");
}

/** @throws ConfigError if the output would replace an input, or anything else without `force` */
function checkFolder(prepared: Prepared, { out, force }: RunOptions): void {
  try {
    mkdirSync(out, { recursive: true });
  } catch (error) {
    throw ioError(error, out, "write");
  }
  const same = (a: string, b: string): boolean => {
    const [x, y] = [statSync(a), statSync(b)];
    return x.dev === y.dev && x.ino === y.ino;
  };
  const inputs = [prepared.folder, ...prepared.adapters.map((a) => join(a.weights.location, ".."))];
  if (inputs.some((input) => same(input, out))) throw new ConfigError(`${out}: the output is a folder of the input`, { kind: "output-is-input", file: out, hint: "choose another folder" });
  const unfinished = existsSync(join(out, ".weft-journal"));
  const found = readdirSync(out).filter((name) => !name.startsWith("."));
  if (found.length > 0 && !unfinished && !force) throw new ConfigError(`${out}: the folder is not empty`, { kind: "exists", file: out, hint: "choose another output, or pass --force" });
}

/** @throws IoError kind `disk-full` before anything is written */
function checkSpace(prepared: Prepared, finished: ReadonlyMap<number, string>, out: string): void {
  const needed = prepared.files.reduce((sum, f, i) => sum + (finished.has(i) ? 0 : f.size), 0);
  const { bavail, bsize } = statfsSync(out);
  if (needed > bavail * bsize) throw new IoError(`${out}: the output takes ${needed} bytes, the disk has ${bavail * bsize} left`, { kind: "disk-full", file: out, hint: "free some space, or choose an output on another disk" });
}

/** Runs a prepared merge on worker threads. Files appear whole; the index comes last. @returns the files that were written */
export async function runMerge(prepared: Prepared, options: MergeOptions, run: RunOptions): Promise<WrittenFile[]> {
  checkFolder(prepared, run);
  removeStale(run.out);
  const identity = jobIdentity(prepared, options);
  if (run.force) rmSync(join(run.out, ".weft-journal"), { force: true });
  let journal: Journal;
  try {
    journal = new Journal(run.out, identity);
  } catch (error) {
    throw error instanceof WeftError ? error : ioError(error, run.out, "write");
  }
  const finished = new Map<number, string>();
  for (const [i, { name }] of prepared.files.entries()) {
    const hash = await journal.finished(run.out, name);
    if (hash !== undefined) finished.set(i, hash);
  }
  let complete = false;
  const outputs: (AtomicFile | undefined)[] = [];
  try {
    checkSpace(prepared, finished, run.out);
    for (const [i, { name, header, size }] of prepared.files.entries()) {
      if (finished.has(i)) {
        outputs.push(undefined);
        continue;
      }
      const file = new AtomicFile(join(run.out, name), size);
      outputs.push(file);
      file.writeAt(header, 0);
    }
    await runWorkers(prepared, options, run, outputs, (i, sha256) => {
      journal.add({ file: prepared.files[i]!.name, size: prepared.files[i]!.size, sha256 });
      finished.set(i, sha256);
    });
    await carryOver(prepared, options, run.out);
    if (prepared.shards) await writeFileAtomic(join(run.out, "model.safetensors.index.json"), indexText(prepared.shards));
    journal.remove();
    complete = true;
  } finally {
    for (const [i, file] of outputs.entries()) if (file && !finished.has(i)) file.abort();
    // What is finished stays for a resumed run; a folder with nothing in it does not.
    if (!complete && finished.size === 0) {
      journal.remove();
      if (readdirSync(run.out).length === 0) rmSync(run.out, { recursive: true });
    }
  }
  return prepared.files.map(({ name, size }, i) => ({ name, bytes: size, sha256: finished.get(i)! }));
}

async function runWorkers(prepared: Prepared, options: MergeOptions, run: RunOptions, outputs: readonly (AtomicFile | undefined)[], onFile: (file: number, sha256: string) => void): Promise<void> {
  const work = listWork(prepared, options);
  const finishers = outputs.map((output, i) => {
    const own = work.filter((item) => item.file === i);
    if (output && own.length === 0) throw new ConfigError(`${prepared.files[i]!.name} has no tensors`, { kind: "empty" });
    return output && { first: work.indexOf(own[0]!), finisher: new FileFinisher(output, own, prepared.files[i]!) };
  });
  const shared = new SharedArrayBuffer(8);
  const state = new Int32Array(shared);
  const stop = (): void => void Atomics.store(state, STOP, 1);
  run.signal.addEventListener("abort", stop);
  if (run.signal.aborted) stop();
  enableRelaxedSimd();
  let done = work.reduce((sum, w) => sum + (outputs[w.file] ? 0 : w.to - w.from), 0);
  let failure: Error | undefined;
  const fail = (error: Error): void => {
    failure ??= error;
    stop();
  };
  const commits: Promise<void>[] = [];
  const written = (index: number): void => {
    const { file, from, to, tensor } = work[index]!;
    const { first, finisher } = finishers[file]!;
    run.onProgress((done += to - from), tensor.name);
    if (finisher.written(index - first)) commits.push(finisher.commit().then((sha256) => onFile(file, sha256), fail));
  };
  const input: WorkerInput = { options, shared, temporaries: outputs.map((f) => f?.temporary ?? "") };
  const one = (): Promise<void> =>
    new Promise((resolve) => {
      const worker = new Worker(new URL("./merge-worker.js", import.meta.url), { workerData: input, resourceLimits: { maxOldGenerationSizeMb: 256 } });
      worker.on("message", (message: WorkerMessage) => {
        try {
          if (message.kind === "written") written(message.work);
          else if (message.kind === "error") fail(revive(message.error));
        } catch (error) {
          fail(error as Error);
        }
      });
      worker.on("error", fail);
      worker.on("exit", () => resolve());
    });
  await Promise.all(Array.from({ length: Math.max(1, Math.min(run.jobs, work.length)) }, one));
  await Promise.all(commits);
  await Promise.all(finishers.map((f) => f?.finisher.close()));
  run.signal.removeEventListener("abort", stop);
  if (failure) throw failure;
  if (run.signal.aborted) throw new CancelledError("stopped; what is finished is kept, and the same command goes on from there");
}

/** An error of a worker, with what decides its exit code. */
function revive({ code, message, kind, file, tensor, hint, system, stack }: Extract<WorkerMessage, { kind: "error" }>["error"]): Error {
  const cause = system ? Object.assign(new Error(message), { code: system }) : undefined;
  if (code === "") return Object.assign(new Error(message, cause ? { cause } : {}), { stack });
  return new WeftError(code as WeftErrorCode, message, { kind, cause, ...(file !== undefined && { file }), ...(tensor !== undefined && { tensor }), ...(hint !== undefined && { hint }) });
}
