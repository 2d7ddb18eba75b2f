import { Arena } from "@weft/tensor-core";
import type { Arithmetic } from "./arithmetic.js";
import { argumentBytes, KernelArgs } from "./kernel-args.js";
import type { WasmBuffer, WasmMemory } from "./memory.js";
import { Pool } from "./threads/pool.js";
import type { Threads } from "./threads/threads.js";

/** Width in bytes, mask of the magnitude, bits of the largest finite magnitude. */
const FINITE = { f32: [4, 0x7fffffff, 0x7f7fffff], f16: [2, 0x7fff, 0x7bff], bf16: [2, 0x7fff, 0x7f7f] } as const;

/** One of the memories with what works there: its kernels, and the arena of the plans that run in it. */
export class Region {
  readonly memory: WasmMemory;
  readonly pool: Pool;
  readonly arena: Arena<WasmBuffer>;
  private finiteArgs: KernelArgs<"firstNonFinite"> | undefined;

  constructor(memory: WasmMemory, threads: Threads) {
    this.memory = memory;
    this.pool = new Pool(memory, threads);
    this.arena = new Arena(
      (bytes) => memory.allocate(bytes),
      (buffer) => memory.release(buffer),
    );
  }

  /** Index of the first NaN or infinity among stored floats, or -1. */
  firstNonFinite(address: number, dtype: keyof typeof FINITE, elements: number): number {
    const [width, mask, largest] = FINITE[dtype];
    const values = { x: address, elements, width, mask, largest, result: -1 };
    const { memory } = this;
    this.finiteArgs ??= new KernelArgs("firstNonFinite", memory, memory.allocate(argumentBytes("firstNonFinite")).address, values);
    this.finiteArgs.assign(values);
    this.pool.run(this.finiteArgs, Math.ceil(elements / 4096), elements < 1 << 16);
    return this.finiteArgs.get("result");
  }
}

/** The memories of a backend, as lowered plans use them. */
export interface Engine {
  readonly arithmetic: Arithmetic;
  readonly regions: ReadonlyMap<WasmMemory, Region>;
  regionOf(buffer: WasmBuffer): Region;
  /** What `attempt` makes in the first of the memories that has room for it; a new one is made for `bytes` if none has. @throws DeviceError kind `out-of-memory` */
  inFirst<T>(attempt: (region: Region) => T, bytes: number): T;
  /** A memory other than those that are full, if need be a new one in which `bytes` fit. */
  elsewhere(full: ReadonlySet<Region>, bytes: number): Region | undefined;
}
