import { DeviceError } from "@weft/tensor-core";
import { LEAST_BYTES, MOST_BYTES, type WasmBuffer, WasmMemory } from "./memory.js";

/**
 * The part of each memory that tensors take only when no other memory has room: it is for the arena and for copies of what lies in another
 * memory, without which nothing could run on the tensors that fill the rest.
 */
const RESERVE = 1 / 16;

export interface MemoryLimits {
  /** Bytes of all memories together. */
  readonly total: number;
  /** Bytes of one, at most 4 GiB. */
  readonly each: number;
  /** Threads may join in. */
  readonly shared: boolean;
}

/** WebAssembly memories that are filled one after the other: one has at most 4 GiB, in some browsers much less. */
export class Memories {
  readonly list: WasmMemory[] = [];
  private readonly limits: MemoryLimits;
  private readonly made: (memory: WasmMemory) => void;

  /**
   * Makes the first.
   * @param made is told of each new memory, before anything is allocated there
   * @throws DeviceError kind `out-of-memory`
   */
  constructor(limits: MemoryLimits, made: (memory: WasmMemory) => void) {
    this.limits = limits;
    this.made = made;
    this.add(limits.total);
  }

  /** A buffer for a tensor. @throws DeviceError kind `out-of-memory` */
  allocate(bytes: number): WasmBuffer {
    const soft = ({ limit }: WasmMemory): number => limit - Math.floor(limit * RESERVE);
    return this.first((memory) => memory.tryAllocate(bytes, soft(memory)), bytes) ?? this.last(bytes);
  }

  /** What `attempt` makes in the first memory where it succeeds, in a new one if there is none. */
  first<T>(attempt: (memory: WasmMemory) => T | undefined, bytes: number): T | undefined {
    for (const memory of this.list) {
      const result = attempt(memory);
      if (result !== undefined) return result;
    }
    const memory = this.extend(bytes);
    return memory && attempt(memory);
  }

  /** One more memory, if the limit allows one in which `bytes` fit. */
  private extend(bytes: number): WasmMemory | undefined {
    const left = this.limits.total - this.list.reduce((sum, { limit }) => sum + limit, 0);
    if (left < LEAST_BYTES || bytes > Math.min(left, this.limits.each) * (1 - RESERVE)) return undefined;
    try {
      return this.add(left);
    } catch (error) {
      if (error instanceof DeviceError) return undefined;
      throw error;
    }
  }

  private add(most: number): WasmMemory {
    const memory = new WasmMemory(Math.min(most, this.limits.each, MOST_BYTES), this.limits.shared);
    this.list.push(memory);
    this.made(memory);
    return memory;
  }

  private last(bytes: number): WasmBuffer {
    for (const memory of this.list) {
      const buffer = memory.tryAllocate(bytes, memory.limit);
      if (buffer) return buffer;
    }
    const [used, limit] = [this.list.reduce((sum, m) => sum + m.used, 0), this.list.reduce((sum, m) => sum + m.limit, 0)];
    throw new DeviceError(`${bytes} bytes more do not fit: ${used} of ${limit} bytes of WebAssembly memory are in use`, {
      kind: "out-of-memory",
      hint: "work on smaller pieces, or free tensors that are not needed any more",
    });
  }
}
