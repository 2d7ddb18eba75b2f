import { DeviceError } from "@weft/tensor-core";
import type { Arithmetic } from "./arithmetic.js";
import { Memories, type MemoryLimits } from "./memories.js";
import type { WasmBuffer, WasmMemory } from "./memory.js";
import type { Products } from "./modules.js";
import { type Engine, Region } from "./region.js";
import { Threads } from "./threads/threads.js";

/** The memories of a backend, with kernels in each of them and the threads that run those. */
export class WasmEngine implements Engine {
  readonly arithmetic: Arithmetic;
  readonly memories: Memories;
  readonly regions: Map<WasmMemory, Region> = new Map();
  readonly threads: Threads;

  /** @param threads those that run kernels, the calling one included @param createThread of pages, see `spawn` */
  constructor(
    limits: MemoryLimits,
    products: Products,
    threads: number,
    arithmetic: Omit<Arithmetic, "fused">,
    createThread?: () => Worker,
  ) {
    this.arithmetic = { ...arithmetic, fused: products.fused };
    let started: Threads | undefined;
    this.memories = new Memories(limits, (memory) => {
      started ??= new Threads(memory, products, threads, createThread);
      this.regions.set(memory, new Region(memory, started));
    });
    this.threads = started!;
  }

  regionOf({ memory }: WasmBuffer): Region {
    return this.regions.get(memory)!;
  }

  inFirst<T>(attempt: (region: Region) => T, bytes: number): T {
    let failure: DeviceError | undefined;
    const made = this.memories.first((memory) => {
      try {
        return attempt(this.regions.get(memory)!);
      } catch (error) {
        if (!(error instanceof DeviceError && error.kind === "out-of-memory")) throw error;
        failure = error;
        return undefined;
      }
    }, bytes);
    if (made === undefined) throw failure!;
    return made;
  }

  elsewhere(full: ReadonlySet<Region>, bytes: number): Region | undefined {
    return this.memories.first((memory) => [this.regions.get(memory)!].find((region) => !full.has(region)), bytes);
  }
}
