import {
  Arena,
  ArenaLayout,
  type Backend,
  type BackendBuffer,
  type BackendStatistics,
  type CompositeCall,
  DeviceError,
  type Executable,
  type Footprint,
  type Plan,
  runReferenceStep,
  type Step,
  stepName,
  withFootprint,
} from "@weft/tensor-core";
import { argumentBytes, KernelArgs } from "./kernel-args.js";
import { COMPOSITES } from "./lower/composites.js";
import { LowerContext, type Run } from "./lower/context.js";
import { lowerFused } from "./lower/fused.js";
import { OPS } from "./lower/ops.js";
import { type WasmBuffer, WasmMemory } from "./memory.js";
import { compileModules } from "./modules.js";
import { availableCores, Pool, threadsAvailable } from "./threads/pool.js";

export interface WasmBackendOptions {
  /** Threads that run kernels, the calling one included; 1 starts no worker. All cores (at most 8) if not given, 1 where threads cannot share memory. */
  readonly threads?: number;
  /** Use fused multiply-add where the machine has it (true). Results differ in the last bits from those without. */
  readonly relaxed?: boolean;
  /** Where allocation stops; at most 4 GiB, and less where the machine reserves less (2, 1, 0.5, 0.25 GiB are tried). */
  readonly maxMemoryBytes?: number;
}

interface WasmExecutable extends Executable {
  readonly steps: readonly Run[];
  /** Byte address of each buffer of the plan, then of each temporary, filled in by `run`. */
  readonly addresses: Int32Array;
  /** Offsets in the arena by buffer id. */
  readonly places: readonly (readonly [id: number, offset: number])[];
  /** Address of the arena that `addresses` are for. */
  base: number;
}

/** Width in bytes, mask of the magnitude, bits of the largest finite magnitude. */
const FINITE = { f32: [4, 0x7fffffff, 0x7f7fffff], f16: [2, 0x7fff, 0x7bff], bf16: [2, 0x7fff, 0x7f7f] } as const;

/** Of scratch and temporaries: a cache line, and any SIMD access. */
const ARENA_ALIGNMENT = 64;

/** The CPU backend: WebAssembly SIMD kernels over one memory that host code sees, too. */
export class WasmBackend implements Backend {
  readonly name = "cpu";
  readonly capabilities: Backend["capabilities"];
  private readonly memory: WasmMemory;
  private readonly pool: Pool;
  private readonly arena: Arena<WasmBuffer>;
  private readonly fusedProducts: boolean;
  /** Of the plans that are lowered now. */
  private readonly plans = new Set<LowerContext>();
  private allocations = 0;
  private disposed = false;
  private finiteArgs: KernelArgs<"firstNonFinite"> | undefined;

  constructor(options: WasmBackendOptions = {}) {
    const shared = threadsAvailable();
    const modules = compileModules(options.relaxed ?? true, shared);
    this.memory = new WasmMemory(options.maxMemoryBytes, shared);
    const pool = new Pool(this.memory, modules, shared ? Math.max(1, options.threads ?? Math.min(8, availableCores())) : 1);
    this.pool = pool;
    this.arena = new Arena(
      (bytes) => this.memory.allocate(bytes),
      (buffer) => this.memory.release(buffer),
    );
    this.fusedProducts = modules.fused;
    this.capabilities = {
      maxBufferBytes: this.memory.limit,
      hostVisible: true,
      get threads() {
        return pool.threads;
      },
    };
  }

  /** Settled when every thread has started or is known not to. */
  get ready(): Promise<void> {
    return this.pool.ready;
  }

  allocate(bytes: number): WasmBuffer {
    if (this.disposed) throw new DeviceError("the backend is used after dispose()");
    this.allocations++;
    return this.memory.allocate(bytes);
  }

  free(buffer: BackendBuffer): void {
    if (!this.disposed) this.memory.release(buffer as WasmBuffer);
  }

  upload(buffer: BackendBuffer, data: Uint8Array, offset = 0): void {
    this.memory.bytes.set(data, this.addressOf(buffer) + offset);
  }

  async download(buffer: BackendBuffer, offset: number, bytes: number): Promise<Uint8Array> {
    const at = this.addressOf(buffer) + offset;
    // A copy outside shared memory, which not every consumer takes.
    return this.memory.bytes.slice(at, at + bytes);
  }

  /** The bytes of a buffer in place; take it anew after an allocation. */
  view(buffer: BackendBuffer): Uint8Array {
    const at = this.addressOf(buffer);
    return this.memory.bytes.subarray(at, at + buffer.bytes);
  }

  /**
   * Index of the first NaN or infinity among stored floats, or -1.
   * @param offset byte offset in the buffer
   */
  firstNonFinite(buffer: BackendBuffer, dtype: "f32" | "f16" | "bf16", elements: number, offset = 0): number {
    const [width, mask, largest] = FINITE[dtype];
    const values = { x: this.addressOf(buffer) + offset, elements, width, mask, largest, result: -1 };
    const args = (this.finiteArgs ??= new KernelArgs(
      "firstNonFinite",
      this.memory,
      this.memory.allocate(argumentBytes("firstNonFinite")).address,
      values,
    ));
    args.assign(values);
    this.pool.run(args, Math.ceil(elements / 4096), elements < 1 << 16);
    return args.get("result");
  }

  claims(call: CompositeCall): boolean {
    return COMPOSITES.get(call.name)?.claims(call) ?? false;
  }

  footprint(plan: Plan): Footprint {
    const { context, footprint } = this.lowerSteps(plan);
    context.dispose();
    return footprint;
  }

  lower(plan: Plan): WasmExecutable {
    const { steps, context, footprint } = this.lowerSteps(plan);
    let withdraw: () => void;
    try {
      withdraw = this.arena.claim(footprint.arenaBytes);
    } catch (error) {
      context.dispose();
      throw error;
    }
    this.plans.add(context);
    const scratch = plan.buffers.flatMap((spec, id) => (spec.role === "scratch" ? [[id, spec.offset] as const] : []));
    const temporaries = context.temporaries.map((offset, i) => [plan.buffers.length + i, offset] as const);
    return {
      plan: withFootprint(plan, footprint),
      steps,
      addresses: new Int32Array(plan.buffers.length + temporaries.length),
      places: [...scratch, ...temporaries],
      base: 0,
      kernels: plan.steps.map(stepName),
      dispose: () => {
        if (this.disposed || !this.plans.delete(context)) return;
        withdraw();
        context.dispose();
      },
    };
  }

  /** Synchronous, so that plans never share the arena at one time. */
  run(executable: Executable, inputs: readonly BackendBuffer[], outputs: readonly BackendBuffer[]): void {
    const lowered = executable as WasmExecutable;
    const { plan, steps, addresses, places } = lowered;
    const base = this.arena.buffer?.address ?? 0;
    if (base !== lowered.base) {
      lowered.base = base;
      for (const [id, offset] of places) addresses[id] = base + offset;
    }
    for (let i = 0; i < inputs.length; i++) addresses[plan.inputs[i]!] = this.addressOf(inputs[i]!);
    for (let i = 0; i < outputs.length; i++) addresses[plan.outputs[i]!.buffer] = this.addressOf(outputs[i]!);
    for (const step of steps) step(addresses);
  }

  statistics(): BackendStatistics {
    return {
      usedBytes: this.memory.used - this.pool.bytes,
      totalBytes: this.memory.bytes.byteLength,
      arenaBytes: this.arena.bytes,
      planBytes: [...this.plans].reduce((sum, { bytes }) => sum + bytes, 0),
      allocations: this.allocations,
    };
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.pool.dispose();
  }

  private lowerSteps(plan: Plan): { steps: readonly Run[]; context: LowerContext; footprint: Footprint } {
    const layout = new ArenaLayout(plan, ARENA_ALIGNMENT);
    const context = new LowerContext(this.memory, this.pool, this.fusedProducts, layout, plan.buffers.length);
    try {
      const steps = plan.steps.map((step, at) => {
        layout.begin(at);
        return this.lowerStep(step, plan, context);
      });
      context.seal();
      return { steps, context, footprint: { arenaBytes: layout.bytes, ownBytes: context.bytes } };
    } catch (error) {
      context.dispose();
      throw error;
    }
  }

  private lowerStep(step: Step, plan: Plan, context: LowerContext): Run {
    if (step.kind === "composite") return COMPOSITES.get(step.op)!.lower(step, context);
    const run = step.kind === "fused" ? lowerFused(step, context) : OPS[step.op]?.(step, context);
    return (
      run ??
      ((addresses) =>
        runReferenceStep((id) => this.memory.bytes.subarray(addresses[id]! >>> 0, (addresses[id]! >>> 0) + plan.buffers[id]!.bytes), step))
    );
  }

  private addressOf(buffer: BackendBuffer): number {
    const { address } = buffer as WasmBuffer;
    if (address === 0) throw new DeviceError("a buffer is used after it was freed");
    return address;
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
