import { DeviceError } from "@weft/tensor-core";
import type { WasmMemory } from "../memory.js";
import { unshared } from "../compile.js";
import { type Kernel, type Products, SCRATCH_BYTES } from "../modules.js";
import { type Starting, spawn, type Thread } from "./spawn.js";
import { CONTROL, CONTROL_WORDS } from "./control.js";

/** Chunks per thread: enough to even out cores that are shared with others. */
const CHUNKS_PER_THREAD = 8;

/** A module that was compiled at run time; threads find its bytes in the first memory. */
export interface Code {
  readonly address: number;
  readonly length: number;
  readonly module: WebAssembly.Module;
}

/** What is handed out in chunks: items of a kernel in one of the memories. */
export interface Job {
  /** Number of the memory that the kernel works in. */
  readonly place: number;
  /** Its number among the exports of its module. */
  readonly index: number;
  /** Its module; none for a product. */
  readonly code?: Code;
  /** It is a product, and `code` reads a packed matrix for it. */
  readonly decodes?: boolean;
  /** Its instance on the calling thread. */
  readonly run: Kernel;
}

/** The threads of one engine. The calling thread works too; with one thread there is no worker at all. */
export class Threads {
  readonly products: Products;
  private readonly starting: Promise<void>;
  /** The first memory: it holds the control block, and the code that was compiled at run time. */
  private readonly memory: WasmMemory;
  private readonly codes = new Map<string, Code>();
  private readonly control: Int32Array;
  private workers: readonly Thread[];
  private count: number;
  /** False on the main thread of a page, which may not sleep. */
  private readonly maySleep: boolean;
  private job = 0;
  private places = 1;
  /** Bytes of memory that threads and compiled kernels take. */
  bytes = 0;

  /** @param createThread of pages, see `spawn` */
  constructor(memory: WasmMemory, products: Products, threads: number, createThread?: () => Worker) {
    this.memory = memory;
    this.products = products;
    const control = this.keep(memory, CONTROL_WORDS * 4);
    this.control = new Int32Array(memory.memory.buffer, control, CONTROL_WORDS);
    this.control.fill(0);
    this.maySleep = sleeps(this.control);
    const starting = Array.from({ length: threads - 1 }, () =>
      spawn(
        { memory: memory.memory, scratch: this.keep(memory, SCRATCH_BYTES), first: { products: products.module, control } },
        createThread,
      ),
    );
    this.workers = starting.map(({ thread }) => thread);
    this.count = threads;
    this.starting = this.dropDead(starting);
  }

  /** Threads that run kernels, the calling one included; those that did not start are left out once `ready` is settled. */
  get threads(): number {
    return this.count;
  }

  /** Chunks that a job is handed out in if it has so many items; 1 where nobody shares it. */
  get chunks(): number {
    return this.count === 1 ? 1 : this.count * CHUNKS_PER_THREAD;
  }

  /** Settled when every thread has started or is known not to. */
  get ready(): Promise<void> {
    return this.starting;
  }

  /** Makes a further memory known to every thread. @returns its number */
  enter(memory: WasmMemory): number {
    if (memory === this.memory) return 0;
    for (const worker of this.workers) worker.postMessage({ memory: memory.memory, scratch: this.keep(memory, SCRATCH_BYTES) });
    return this.places++;
  }

  /** Memory for as long as the engine lives. @returns its address */
  keep(memory: WasmMemory, bytes: number): number {
    this.bytes += bytes;
    return memory.allocate(bytes).address;
  }

  /** A module over shared memory, compiled once per key. @throws WebAssembly.CompileError where a page's policy forbids it */
  compile(key: string, emit: () => Uint8Array<ArrayBuffer>): Code {
    let code = this.codes.get(key);
    if (!code) {
      const emitted = emit();
      const bytes = this.memory.shared ? emitted : unshared(emitted);
      const module = new WebAssembly.Module(bytes);
      const address = this.keep(this.memory, bytes.length);
      this.memory.bytes.set(bytes, address);
      code = { address, length: bytes.length, module };
      this.codes.set(key, code);
    }
    return code;
  }

  /** Runs a job; on several threads in chunks that whoever is free takes, unless `small`. @throws DeviceError if a thread failed */
  launch(job: Job, args: number, items: number, small: boolean): void {
    if (items <= 0) return;
    if (this.workers.length === 0 || small || items === 1) {
      job.run(args, 0, items);
      return;
    }
    const c = this.control;
    const grain = Math.ceil(items / Math.min(items, this.chunks));
    const chunks = Math.ceil(items / grain);
    c[CONTROL.chunks] = chunks;
    c[CONTROL.place] = job.place;
    c[CONTROL.kernel] = job.index;
    c[CONTROL.decodes] = job.decodes ? 1 : 0;
    c[CONTROL.args] = args;
    c[CONTROL.items] = items;
    c[CONTROL.grain] = grain;
    c[CONTROL.code] = job.code?.address ?? 0;
    c[CONTROL.codeBytes] = job.code?.length ?? 0;
    Atomics.store(c, CONTROL.done, 0);
    this.job = (this.job + 1) & 0xffff;
    Atomics.store(c, CONTROL.ticket, (this.job << 16) | chunks);
    Atomics.notify(c, CONTROL.ticket);
    this.takeChunks(job, args, items, grain, chunks);
    for (let done = Atomics.load(c, CONTROL.done); done < chunks; done = Atomics.load(c, CONTROL.done)) {
      if (this.maySleep) Atomics.wait(c, CONTROL.done, done);
    }
    if (Atomics.exchange(c, CONTROL.failed, 0))
      throw new DeviceError("a kernel failed on a worker thread", { hint: "try again with threads: 1" });
  }

  dispose(): void {
    if (this.workers.length === 0) return;
    Atomics.store(this.control, CONTROL.stop, 1);
    Atomics.store(this.control, CONTROL.ticket, 0);
    Atomics.notify(this.control, CONTROL.ticket);
    for (const worker of this.workers) worker.terminate();
    this.workers = [];
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

  private takeChunks({ run }: Job, args: number, items: number, grain: number, chunks: number): void {
    const c = this.control;
    for (let ticket = Atomics.load(c, CONTROL.ticket); (ticket & 0xffff) !== 0; ticket = Atomics.load(c, CONTROL.ticket)) {
      if (Atomics.compareExchange(c, CONTROL.ticket, ticket, ticket - 1) !== ticket) continue;
      const first = (chunks - (ticket & 0xffff)) * grain;
      try {
        run(args, first, Math.min(items, first + grain));
      } catch {
        Atomics.store(c, CONTROL.failed, 1); // reported once every chunk is accounted for
      }
      Atomics.add(c, CONTROL.done, 1);
    }
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
