import { type BackendBuffer, DeviceError } from "@weft/tensor-core";
import type { Faults } from "./faults.js";
import { USAGE, words } from "./usage.js";

/** A GPU buffer lent to a tensor. `id` stays with the GPU buffer, so that bind groups can be found by it. */
export interface GpuBuffer extends BackendBuffer {
  readonly id: number;
  readonly gpu: GPUBuffer;
  freed: boolean;
}

const SMALLEST = 256;
/** From here on powers of two waste too much: eight sizes per octave, at most 1/8 is lost. */
const FINE = 2 ** 20;

/** Size in bytes of the pooled buffer that serves a request. */
export function sizeClass(bytes: number): number {
  const power = 2 ** Math.ceil(Math.log2(Math.max(SMALLEST, bytes)));
  if (power <= FINE) return power;
  const step = power / 16;
  return Math.ceil(bytes / step) * step;
}

/** Lends GPU buffers and keeps returned ones for the next request of their size class. */
export class BufferPool {
  private readonly device: GPUDevice;
  private readonly faults: Faults;
  private readonly budget: number;
  /** Every GPU buffer there is, lent, idle or reserved. */
  private readonly all = new Set<GPUBuffer>();
  private readonly idle = new Map<number, { id: number; gpu: GPUBuffer }[]>();
  private next = 1;
  /** Bytes of all GPU buffers, lent or idle. */
  totalBytes = 0;
  idleBytes = 0;
  /** Bytes that were asked for and not freed. */
  usedBytes = 0;
  /** Those of them that are reserved outside the pool. */
  reservedBytes = 0;

  /** @param budget bytes that the backend may hold on the GPU */
  constructor(device: GPUDevice, faults: Faults, budget: number) {
    this.device = device;
    this.faults = faults;
    this.budget = budget;
  }

  /** @throws DeviceError kind `out-of-memory` beyond the limit of one buffer or the budget. */
  allocate(bytes: number): GpuBuffer {
    const size = Math.min(sizeClass(bytes), Math.max(words(bytes), this.device.limits.maxBufferSize));
    const kept = this.idle.get(size)?.pop();
    if (kept) this.idleBytes -= size;
    const { id, gpu } = kept ?? this.create(size, bytes);
    this.usedBytes += bytes;
    return { id, gpu, bytes, freed: false };
  }

  free(buffer: GpuBuffer): void {
    if (buffer.freed) return;
    buffer.freed = true;
    this.usedBytes -= buffer.bytes;
    const { size } = buffer.gpu;
    this.idle.set(size, [...(this.idle.get(size) ?? []), { id: buffer.id, gpu: buffer.gpu }]);
    this.idleBytes += size;
  }

  /** A buffer outside the pool (parameters of plans), counted in the budget. */
  reserve(size: number, usage: number, label: string): { id: number; gpu: GPUBuffer; release(): void } {
    this.makeRoom(size, label);
    const gpu = this.faults.guard(
      () => `allocating ${size} bytes for ${label}`,
      () => this.device.createBuffer({ size, usage, label }),
    );
    this.keep(gpu);
    this.usedBytes += size;
    this.reservedBytes += size;
    const release = (): void => {
      if (!this.destroy(gpu)) return;
      this.usedBytes -= size;
      this.reservedBytes -= size;
    };
    return { id: this.next++, gpu, release };
  }

  /** Gives idle buffers back to the driver. */
  trim(): void {
    for (const list of this.idle.values()) for (const { gpu } of list) this.destroy(gpu);
    this.idleBytes = 0;
    this.idle.clear();
  }

  /** Gives everything back, whoever has it. */
  dispose(): void {
    this.trim();
    for (const gpu of this.all) this.destroy(gpu);
  }

  private keep(gpu: GPUBuffer): void {
    this.all.add(gpu);
    this.totalBytes += gpu.size;
  }

  /** @returns false if it was destroyed before */
  private destroy(gpu: GPUBuffer): boolean {
    if (!this.all.delete(gpu)) return false;
    this.totalBytes -= gpu.size;
    gpu.destroy();
    return true;
  }

  private create(size: number, bytes: number): { id: number; gpu: GPUBuffer } {
    const limit = this.device.limits.maxBufferSize;
    if (bytes > limit)
      throw new DeviceError(`a buffer of ${bytes} bytes is larger than this GPU allows (${limit})`, {
        kind: "out-of-memory",
        hint: "split the tensor by rows",
      });
    this.makeRoom(size, "a tensor");
    const usage = USAGE.storage | USAGE.copySource | USAGE.copyTarget;
    const gpu = this.faults.guard(
      () => `allocating ${size} bytes`,
      () => this.device.createBuffer({ size, usage }),
    );
    this.keep(gpu);
    return { id: this.next++, gpu };
  }

  private makeRoom(size: number, what: string): void {
    if (this.totalBytes + size > this.budget) this.trim();
    if (this.totalBytes + size > this.budget) {
      throw new DeviceError(`${size} bytes for ${what} do not fit: ${this.totalBytes} of ${this.budget} bytes are in use`, {
        kind: "out-of-memory",
        hint: "dispose of tensors, use smaller tiles, or raise memoryBudget",
      });
    }
  }
}
