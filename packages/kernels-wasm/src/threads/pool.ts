import { DeviceError } from "@weft/tensor-core";
import { type KernelArgs, KERNELS } from "../kernel-args.js";
import type { WasmMemory } from "../memory.js";
import type { Kernel, Modules } from "../modules.js";
import { SCRATCH_BYTES, unshared } from "../modules.js";
import { CONTROL, CONTROL_WORDS, WORKER_SOURCE } from "./worker-source.js";

/** Chunks per thread: enough to even out cores that are shared with others. */
const CHUNKS_PER_THREAD = 8;

/** A kernel compiled at run time; threads find its bytes in the shared memory. */
export interface FusedKernel {
  readonly id: number;
  readonly address: number;
  readonly length: number;
  readonly run: Kernel;
}

interface Thread {
  terminate(): unknown;
}

type NodeWorker = Thread & { unref(): void; on(event: "error", listener: () => void): void };
interface NodeThreads {
  readonly Worker: new (source: string, options: object) => NodeWorker;
}

/** A module of Node, without an import that browsers and bundlers would have to resolve. */
function builtin<T>(name: string): T | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } };
  return process?.getBuiltinModule?.(name) as T | undefined;
}

const nodeThreads = (): NodeThreads | undefined => builtin("node:worker_threads");

/** How long a page's worker may take to start before the engine goes on without it, in ms. */
const START_TIMEOUT_MS = 5000;

/** A thread on its way: `started` tells whether it joins in. */
interface Starting {
  readonly thread: Thread;
  readonly started: Promise<boolean>;
}

/** Starts a worker thread of Node or of the browser on `WORKER_SOURCE`. In Node it keeps no process alive. */
function spawn(data: object): Starting {
  const node = nodeThreads();
  if (node) {
    const worker = new node.Worker(WORKER_SOURCE, { eval: true, workerData: data });
    // A thread that cannot start is a thread less: the others do its share.
    worker.on("error", () => undefined);
    worker.unref();
    return { thread: worker, started: Promise.resolve(true) };
  }
  const url = URL.createObjectURL(new Blob([WORKER_SOURCE], { type: "text/javascript" }));
  const worker = new Worker(url);
  const started = new Promise<boolean>((resolve) => {
    // A policy without worker-src blob: stops it with nothing but this event.
    worker.onerror = () => resolve(false);
    worker.onmessage = () => resolve(true);
    setTimeout(() => resolve(false), START_TIMEOUT_MS);
  });
  void started.then(() => URL.revokeObjectURL(url));
  worker.postMessage(data);
  return { thread: worker, started };
}

/** True where threads can share memory: in Node, and in pages that are cross-origin isolated. */
export function threadsAvailable(): boolean {
  return nodeThreads() !== undefined || (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated === true;
}

/** Cores of this machine that the program may use. */
export function availableCores(): number {
  const { navigator } = globalThis as { navigator?: { hardwareConcurrency?: number } };
  return builtin<{ availableParallelism(): number }>("node:os")?.availableParallelism() ?? navigator?.hardwareConcurrency ?? 1;
}

/** The threads of one engine. The calling thread works too; with one thread there is no worker at all. */
export class Pool {
  private readonly starting: Promise<void>;
  private readonly memory: WasmMemory;
  private readonly env: { readonly memory: WebAssembly.Memory; readonly scratch: number };
  private readonly kernels: readonly Kernel[];
  private readonly fused = new Map<string, FusedKernel>();
  private readonly control: Int32Array;
  private workers: readonly Thread[];
  private count: number;
  /** False on the main thread of a page, which may not sleep. */
  private readonly maySleep: boolean;
  private job = 0;
  /** Bytes of memory that the engine itself takes: its threads' scratch, and kernels that were compiled at run time. */
  bytes = 0;

  constructor(memory: WasmMemory, modules: Modules, threads: number) {
    this.memory = memory;
    const scratch = (): number => this.keep(SCRATCH_BYTES);
    this.env = { memory: memory.memory, scratch: scratch() };
    const imports = { env: this.env };
    const all = {
      ...new WebAssembly.Instance(modules.matmul, imports).exports,
      ...new WebAssembly.Instance(modules.general, imports).exports,
    } as Record<string, Kernel>;
    this.kernels = KERNELS.map((name) => all[name]!);
    const control = this.keep(CONTROL_WORDS * 4);
    const places = Array.from({ length: threads - 1 }, scratch);
    this.control = new Int32Array(memory.memory.buffer, control, CONTROL_WORDS);
    this.control.fill(0);
    this.maySleep = sleeps(this.control);
    const { matmul, general } = modules;
    const starting = places.map((scratch) => spawn({ memory: memory.memory, matmul, general, scratch, control, names: KERNELS }));
    this.workers = starting.map(({ thread }) => thread);
    this.count = threads;
    this.starting = this.dropDead(starting);
  }

  /** Threads that run kernels, the calling one included; those that did not start are left out once `ready` is settled. */
  get threads(): number {
    return this.count;
  }

  /** Settled when every thread has started or is known not to. */
  get ready(): Promise<void> {
    return this.starting;
  }

  private async dropDead(starting: readonly Starting[]): Promise<void> {
    const alive = await Promise.all(starting.map(({ started }) => started));
    starting.forEach(({ thread }, i) => {
      if (!alive[i]) thread.terminate();
    });
    if (this.workers.length === 0) return;
    this.workers = starting.filter((_, i) => alive[i]).map(({ thread }) => thread);
    this.count = this.workers.length + 1;
  }

  /** Runs `items` items of the kernel that `args` are for; on several threads in chunks that whoever is free takes, unless `small`. @throws DeviceError if a thread failed */
  run(args: KernelArgs, items: number, small = false): void {
    const id = KERNELS.indexOf(args.kernel);
    this.launch({ id, address: 0, length: 0, run: this.kernels[id]! }, args.address, items, small);
  }

  runFused(kernel: FusedKernel, args: number, items: number, small = false): void {
    this.launch(kernel, args, items, small);
  }

  /** The kernel `run` of a module, compiled once per key. @throws WebAssembly.CompileError where a page's policy forbids it */
  compileFused(key: string, emit: () => Uint8Array<ArrayBuffer>): FusedKernel {
    let kernel = this.fused.get(key);
    if (!kernel) {
      const emitted = emit();
      const bytes = this.memory.shared ? emitted : unshared(emitted);
      const { run } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: this.env }).exports as unknown as { run: Kernel };
      const address = this.keep(bytes.length);
      this.memory.bytes.set(bytes, address);
      kernel = { id: KERNELS.length + this.fused.size, address, length: bytes.length, run };
      this.fused.set(key, kernel);
    }
    return kernel;
  }

  /** Memory for as long as the engine lives. @returns its address */
  private keep(bytes: number): number {
    this.bytes += bytes;
    return this.memory.allocate(bytes).address;
  }

  private launch(kernel: FusedKernel, args: number, items: number, small: boolean): void {
    if (items <= 0) return;
    if (this.workers.length === 0 || small || items === 1) {
      kernel.run(args, 0, items);
      return;
    }
    const c = this.control;
    const grain = Math.ceil(items / Math.min(items, this.threads * CHUNKS_PER_THREAD));
    const chunks = Math.ceil(items / grain);
    c[CONTROL.chunks] = chunks;
    c[CONTROL.kernel] = kernel.id;
    c[CONTROL.args] = args;
    c[CONTROL.items] = items;
    c[CONTROL.grain] = grain;
    c[CONTROL.code] = kernel.address;
    c[CONTROL.codeBytes] = kernel.length;
    Atomics.store(c, CONTROL.done, 0);
    this.job = (this.job + 1) & 0xffff;
    Atomics.store(c, CONTROL.ticket, (this.job << 16) | chunks);
    Atomics.notify(c, CONTROL.ticket);
    this.takeChunks(kernel, args, items, grain, chunks);
    for (let done = Atomics.load(c, CONTROL.done); done < chunks; done = Atomics.load(c, CONTROL.done)) {
      if (this.maySleep) Atomics.wait(c, CONTROL.done, done);
    }
    if (Atomics.exchange(c, CONTROL.failed, 0))
      throw new DeviceError("a kernel failed on a worker thread", { hint: "try again with threads: 1" });
  }

  private takeChunks(kernel: FusedKernel, args: number, items: number, grain: number, chunks: number): void {
    const c = this.control;
    for (let ticket = Atomics.load(c, CONTROL.ticket); (ticket & 0xffff) !== 0; ticket = Atomics.load(c, CONTROL.ticket)) {
      if (Atomics.compareExchange(c, CONTROL.ticket, ticket, ticket - 1) !== ticket) continue;
      const first = (chunks - (ticket & 0xffff)) * grain;
      try {
        kernel.run(args, first, Math.min(items, first + grain));
      } catch {
        Atomics.store(c, CONTROL.failed, 1); // reported once every chunk is accounted for
      }
      Atomics.add(c, CONTROL.done, 1);
    }
  }

  dispose(): void {
    if (this.workers.length === 0) return;
    Atomics.store(this.control, CONTROL.stop, 1);
    Atomics.store(this.control, CONTROL.ticket, 0);
    Atomics.notify(this.control, CONTROL.ticket);
    for (const worker of this.workers) worker.terminate();
    this.workers = [];
  }
}

function sleeps(control: Int32Array): boolean {
  try {
    Atomics.wait(control, CONTROL.stop, 1, 0);
    return true;
  } catch {
    return false;
  }
}
