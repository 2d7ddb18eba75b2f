import type { Kernel, Modules } from "../modules.js";
import { SCRATCH_BYTES } from "../modules.js";
import type { WasmMemory } from "../memory.js";
import { WORKER_SOURCE } from "./worker-source.js";

/** Kernels by number, in the order that workers know them. */
export const KERNELS = ["gemm", "gemvAxpy", "gemvDot", "merge", "packRight", "firstNonFinite", "im2col", "argReduce", "cumulate", "gatherRows", "scatterAdd", "threefry"] as const;
export type KernelName = (typeof KERNELS)[number];

/** A kernel compiled at run time. */
export interface FusedKernel {
  readonly id: number;
  readonly address: number;
  readonly length: number;
  readonly run: Kernel;
}

interface Thread {
  terminate(): unknown;
}

/** Starts a worker thread of Node or of the browser on `WORKER_SOURCE`. */
function spawn(data: object): Thread {
  const nodeThreads = (globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } }).process?.getBuiltinModule?.("node:worker_threads") as { Worker: new (source: string, options: object) => Thread & { unref(): void } } | undefined;
  if (nodeThreads) {
    const worker = new nodeThreads.Worker(WORKER_SOURCE, { eval: true, workerData: data });
    worker.unref();
    return worker;
  }
  const worker = new Worker(URL.createObjectURL(new Blob([WORKER_SOURCE], { type: "text/javascript" })));
  worker.postMessage(data);
  return worker;
}

/** True where threads can share memory: in Node, and in pages that are cross-origin isolated. */
export function threadsAvailable(): boolean {
  return "getBuiltinModule" in (globalThis.process ?? {}) || (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated === true;
}

/** The threads of one engine. The calling thread works too; with one thread there is no worker at all. */
export class Pool {
  readonly threads: number;
  private readonly kernels: readonly Kernel[];
  private readonly control: Int32Array;
  private readonly workers: Thread[] = [];
  private job = 0;

  constructor(memory: WasmMemory, modules: Modules, threads: number) {
    this.threads = threads;
    const scratch = (): number => memory.allocate(SCRATCH_BYTES).address;
    const imports = { env: { memory: memory.memory, scratch: scratch() } };
    const all = { ...new WebAssembly.Instance(modules.matmul, imports).exports, ...new WebAssembly.Instance(modules.general, imports).exports } as Record<string, Kernel>;
    this.kernels = KERNELS.map((name) => all[name]!);
    const control = memory.allocate(64).address;
    const places = Array.from({ length: threads - 1 }, scratch);
    this.control = new Int32Array(memory.memory.buffer, control, 16);
    this.control.fill(0);
    for (const place of places) this.workers.push(spawn({ memory: memory.memory, matmul: modules.matmul, general: modules.general, scratch: place, control, names: KERNELS }));
  }

  /** Runs `items` items of a kernel; on several threads in chunks that whoever is free takes, unless `small`. */
  run(kernel: KernelName, args: number, items: number, small = false): void {
    const index = KERNELS.indexOf(kernel);
    this.launch(this.kernels[index]!, args, items, small, index, undefined);
  }

  runFused(kernel: FusedKernel, args: number, items: number, small = false): void {
    this.launch(kernel.run, args, items, small, -1, kernel);
  }

  private launch(run: Kernel, args: number, items: number, small: boolean, index: number, fused: FusedKernel | undefined): void {
    if (items <= 0) return;
    if (this.threads === 1 || small || items === 1) {
      run(args, 0, items);
      return;
    }
    const c = this.control;
    const chunk = Math.max(1, Math.floor(items / (8 * this.threads)));
    c[1] = 0;
    c[2] = items;
    c[3] = chunk;
    c[4] = args;
    c[5] = index;
    if (fused) [c[6], c[7], c[8]] = [fused.address, fused.length, fused.id];
    Atomics.store(c, 9, 0);
    Atomics.store(c, 0, ++this.job);
    Atomics.notify(c, 0);
    for (;;) {
      const from = Atomics.add(c, 1, chunk);
      if (from >= items) break;
      run(args, from, Math.min(items, from + chunk));
    }
    // Results are complete when every worker has left the job; none may still be in it when the next one is written.
    for (let done = Atomics.load(c, 9); done < this.workers.length; done = Atomics.load(c, 9)) Atomics.wait(c, 9, done);
  }

  dispose(): void {
    Atomics.store(this.control, 10, 1);
    Atomics.store(this.control, 0, ++this.job);
    Atomics.notify(this.control, 0);
    for (const worker of this.workers) worker.terminate();
  }
}
