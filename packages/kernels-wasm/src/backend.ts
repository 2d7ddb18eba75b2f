import {
  type Backend,
  type BackendBuffer,
  type BackendStatistics,
  type CompositeCall,
  DeviceError,
  type Executable,
  type Footprint,
  type Plan,
} from "@weft/tensor-core";
import type { Activations } from "./arithmetic.js";
import { footprintOf, WasmExecutable } from "./executable.js";
import { COMPOSITES } from "./lower/composites.js";
import { interpreterLoading } from "./lower/fused.js";
import { loadGroup, loadGroups } from "./lower/groups.js";
import { WasmEngine } from "./engine.js";
import { addressIn, MOST_BYTES, type WasmBuffer } from "./memory.js";
import { compileProducts } from "./modules.js";
import { availableCores, threadsAvailable } from "./threads/spawn.js";

/** Options of the CPU backend: threads, instructions, memory. */
export interface WasmBackendOptions {
  /** Threads that run kernels, the calling one included; 1 starts no worker. All cores (at most 8) if not given, 1 where threads cannot share memory. */
  readonly threads?: number;
  /**
   * Starts a thread in a page: a worker that runs the module `@weft/kernels-wasm/thread`, as `() => new Worker(new URL("thread.js", import.meta.url), { type: "module" })`. For pages
   * whose policy has no `worker-src blob:`; workers of a `blob:` URL if not given. Node starts its own.
   */
  readonly createThread?: () => Worker;
  /** Use fused multiply-add where the machine has it (true). Results differ in the last bits from those without. */
  readonly relaxed?: boolean;
  /**
   * Give a row of a product the same bits whatever other rows are computed with it (false), so that a part of a tensor is equal to that part of the
   * whole. Products of up to 16 rows are slower then.
   */
  readonly rowIndependent?: boolean;
  /**
   * What products of up to four rows with packed weights compute their other factor with: `f32` (default), or `int8`: rounded to 8 bits for each 32
   * neighbours, by at most 1/254 of the largest magnitude among them. Sixteen levels that are looked up (NF4) are then rounded to 32767ths of the largest.
   * Formats whose values are neither such nor whole numbers with a scale are computed in f32.
   */
  readonly activations?: Activations;
  /** Where allocation stops. One WebAssembly memory holds 4 GiB at most; beyond that tensors lie in further ones. No limit but the machine's if not given. */
  readonly maxMemoryBytes?: number;
  /** The most that one WebAssembly memory may take, and so one tensor: 4 GiB, and less where the machine reserves less (2, 1, 0.5, 0.25 GiB are tried). */
  readonly maxBytesPerMemory?: number;
}

const sum = (values: Iterable<number>): number => [...values].reduce((a, b) => a + b, 0);

/** The CPU backend: WebAssembly SIMD kernels over memories that host code sees, too. */
export class WasmBackend implements Backend {
  readonly name = "cpu";
  readonly capabilities: Backend["capabilities"];
  private readonly engine: WasmEngine;
  private readonly plans = new Set<WasmExecutable>();
  private allocations = 0;
  private disposed = false;

  constructor({
    threads,
    relaxed = true,
    rowIndependent = false,
    activations = "f32",
    maxMemoryBytes = Infinity,
    maxBytesPerMemory = MOST_BYTES,
    createThread,
  }: WasmBackendOptions = {}) {
    const shared = threadsAvailable();
    const count = shared ? Math.max(1, threads ?? Math.min(8, availableCores())) : 1;
    const engine = new WasmEngine(
      { total: maxMemoryBytes, each: maxBytesPerMemory, shared },
      compileProducts(relaxed, shared),
      count,
      { rowIndependent, activations },
      createThread,
    );
    this.engine = engine;
    this.capabilities = {
      maxBufferBytes: engine.memories.list[0]!.limit,
      hostVisible: true,
      get threads() {
        return engine.threads.threads;
      },
    };
  }

  /** Settled when every thread has started or is known not to. */
  get ready(): Promise<void> {
    return this.engine.threads.ready;
  }

  allocate(bytes: number): WasmBuffer {
    this.check();
    this.allocations++;
    return this.engine.memories.allocate(bytes);
  }

  /** Bytes of a buffer from `offset` on as a buffer: what lies there as long as the whole does, and is not freed by itself. */
  part(buffer: WasmBuffer, offset: number, bytes: number = buffer.bytes - offset): WasmBuffer {
    return { memory: buffer.memory, address: addressIn(buffer) + offset, bytes };
  }

  free(buffer: BackendBuffer): void {
    const mine = buffer as WasmBuffer;
    if (!this.disposed) mine.memory.release(mine);
  }

  upload(buffer: BackendBuffer, data: Uint8Array, offset = 0): void {
    const mine = buffer as WasmBuffer;
    mine.memory.bytes.set(data, addressIn(mine) + offset);
  }

  async download(buffer: BackendBuffer, offset: number, bytes: number): Promise<Uint8Array> {
    const mine = buffer as WasmBuffer;
    const at = addressIn(mine) + offset;
    // A copy outside shared memory, which not every consumer takes.
    return mine.memory.bytes.slice(at, at + bytes);
  }

  /** The bytes of a buffer in place; take it anew after an allocation. */
  view(buffer: BackendBuffer): Uint8Array {
    const mine = buffer as WasmBuffer;
    const at = addressIn(mine);
    return mine.memory.bytes.subarray(at, at + mine.bytes);
  }

  /**
   * Index of the first NaN or infinity among stored floats, or -1.
   * @param offset byte offset in the buffer
   */
  async firstNonFinite(buffer: BackendBuffer, dtype: "f32" | "f16" | "bf16", elements: number, offset = 0): Promise<number> {
    await loadGroup("merge");
    const mine = buffer as WasmBuffer;
    return this.engine.regionOf(mine).firstNonFinite(addressIn(mine) + offset, dtype, elements);
  }

  claims(call: CompositeCall): boolean {
    return COMPOSITES.get(call.name)?.claims(call) ?? false;
  }

  async footprint(plan: Plan): Promise<Footprint> {
    await loadGroups(plan);
    return this.engine.inFirst((region) => footprintOf(plan, region, this.engine.arithmetic), 0);
  }

  /** A promise only where kernels have to be loaded that most programs do not need. */
  lower(plan: Plan): WasmExecutable | Promise<WasmExecutable> {
    const loading = loadGroups(plan);
    if (loading) return loading.then(() => this.lower(plan));
    this.check();
    const executable = new WasmExecutable(plan, this.engine, (it) => void this.plans.delete(it));
    this.plans.add(executable);
    return interpreterLoading()?.then(() => executable) ?? executable;
  }

  /** All of a plan in one go, so that plans never share the arena at one time; at once, but for the first time that its buffers lie in several memories. */
  run(executable: Executable, inputs: readonly BackendBuffer[], outputs: readonly BackendBuffer[]): void | Promise<void> {
    return (executable as WasmExecutable).run(inputs as readonly WasmBuffer[], outputs as readonly WasmBuffer[]);
  }

  statistics(): BackendStatistics {
    const { list } = this.engine.memories;
    return {
      usedBytes: sum(list.map((m) => m.used)) - this.engine.threads.bytes,
      totalBytes: sum(list.map((m) => m.bytes.byteLength)),
      arenaBytes: sum([...this.engine.regions.values()].map(({ arena }) => arena.bytes)),
      planBytes: sum([...this.plans].map((p) => p.ownBytes)),
      allocations: this.allocations,
    };
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.engine.threads.dispose();
  }

  private check(): void {
    if (this.disposed) throw new DeviceError("the backend is used after dispose()");
  }
}

/**
 * Starts the CPU backend; `capabilities.threads` are those that really started.
 * @throws CapabilityError kind `no-wasm` where WebAssembly may not run (a page's Content-Security-Policy), `no-wasm-simd`; DeviceError kind `out-of-memory`
 */
export async function createWasmBackend(options: WasmBackendOptions = {}): Promise<WasmBackend> {
  const backend = new WasmBackend(options);
  await backend.ready;
  return backend;
}
