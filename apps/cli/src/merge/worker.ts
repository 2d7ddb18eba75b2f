import { closeSync, openSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { writeAll } from "@weft/io-safetensors/node";
import { createWasmBackend } from "@weft/kernels-wasm";
import { WeftError } from "@weft/tensor-core";
import { FileSet } from "../files/file-set.js";
import { prepareMerge } from "./prepare.js";
import { TileRunner } from "./tile-runner.js";
import { NEXT, STOP, type WorkerInput, type WorkerMessage } from "./worker-protocol.js";
import { listWork, type Work } from "./work.js";

async function work({ options, shared, temporaries }: WorkerInput): Promise<void> {
  const state = new Int32Array(shared);
  const prepared = await prepareMerge(options);
  const list = listWork(prepared, options);
  const files = new FileSet();
  const open = new Map<number, number>();
  const runner = new TileRunner(await createWasmBackend({ threads: 1 }), prepared, options);
  let copyBuffer = new Uint8Array(0);

  const write = (item: Work, bytes: Uint8Array): void => {
    let fd = open.get(item.file);
    if (fd === undefined) open.set(item.file, (fd = openSync(temporaries[item.file]!, "r+")));
    writeAll(fd, bytes, item.tensor.offset + item.from, prepared.files[item.file]!.name);
  };

  for (;;) {
    const next = Atomics.add(state, NEXT, 1);
    if (next >= list.length || Atomics.load(state, STOP) !== 0) break;
    const item = list[next]!;
    if (temporaries[item.file] === "") continue;
    const { job } = item.tensor;
    if (!item.rows) {
      if (copyBuffer.byteLength < item.to - item.from) copyBuffer = new Uint8Array(item.to - item.from);
      const piece = copyBuffer.subarray(0, item.to - item.from);
      files.readInto(job.source!.file, piece, job.source!.offset + item.from);
      write(item, piece);
    } else {
      const { start, stop } = item.rows;
      const read = (target: Uint8Array): void => {
        if (!job.source) return;
        const rowBytes = job.source.shape.length === 0 ? job.source.bytes : job.source.bytes / job.source.shape[0]!;
        files.readInto(job.source.file, target.subarray(0, Math.min(target.byteLength, (stop - start) * rowBytes)), job.source.offset + start * rowBytes);
      };
      await runner.run(job, item.rows, read, (bytes) => write(item, bytes));
    }
    send({ kind: "written", work: next });
  }
  for (const fd of open.values()) closeSync(fd);
  await files.close();
  await prepared.close();
}

function send(message: WorkerMessage): void {
  parentPort!.postMessage(message);
}

try {
  await work(workerData as WorkerInput);
  send({ kind: "done" });
} catch (error) {
  Atomics.store(new Int32Array((workerData as WorkerInput).shared), STOP, 1);
  const e = error instanceof Error ? error : new Error(String(error));
  const known = e instanceof WeftError ? { code: e.code, kind: e.kind, file: e.file, tensor: e.tensor, hint: e.hint } : { code: "", kind: "internal" };
  const cause = (e.cause ?? e) as { code?: unknown };
  send({ kind: "error", error: { ...known, message: e.message, stack: e.stack, system: typeof cause.code === "string" ? cause.code : undefined } });
}
