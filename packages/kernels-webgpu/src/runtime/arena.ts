import type { BufferPool } from "./buffers.js";
import { align, USAGE } from "./usage.js";

/**
 * Scratch memory of all plans: one buffer, as large as the largest plan lowered so far needs. The queue runs plans one
 * after the other, so they can share it.
 */
export class Arena {
  private readonly pool: BufferPool;
  private held: ReturnType<BufferPool["reserve"]> | undefined;

  constructor(pool: BufferPool) {
    this.pool = pool;
  }

  get bytes(): number {
    return this.held?.gpu.size ?? 0;
  }

  /** The buffer, grown to `bytes` if it is smaller; its contents are not kept. */
  atLeast(bytes: number): { readonly id: number; readonly gpu: GPUBuffer } {
    if (this.held && this.held.gpu.size >= bytes) return this.held;
    this.held?.release();
    this.held = undefined;
    this.held = this.pool.reserve(align(Math.max(bytes, 16), 16), USAGE.storage | USAGE.copySource | USAGE.copyTarget, "scratch");
    return this.held;
  }

  release(): void {
    this.held?.release();
    this.held = undefined;
  }
}
