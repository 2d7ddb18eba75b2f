import { DeviceError } from "@weft/tensor-core";
import type { GpuBuffer } from "./buffers.js";
import { sizeClass } from "./buffers.js";
import type { Faults } from "./faults.js";
import type { PipelineCache } from "./pipelines.js";
import { MAP_READ, USAGE, words } from "./usage.js";

/** Merges up to two partly written words of an upload that starts or ends between words. */
const PATCH = `struct Params { word: u32, mask: u32, value: u32 }
@group(0) @binding(0) var<uniform> P: Params;
@group(0) @binding(1) var<storage, read_write> b0: array<u32>;
@compute @workgroup_size(1) fn main() { b0[P.word] = (b0[P.word] & ~P.mask) | P.value; }`;
const PATCH_DISPATCH = {
  name: "patch",
  source: PATCH,
  params: new Uint8Array(16),
  bindings: [{ key: "", buffer: 0, shared: false, writable: true }],
  groups: [1, 1, 1],
} as const;

/** Most idle staging buffers that are kept. */
const STAGING_KEPT = 3;

/** Copies between host and GPU; the queue keeps their order with the runs. */
export class Transfer {
  private readonly device: GPUDevice;
  private readonly faults: Faults;
  private readonly pipelines: PipelineCache;
  private readonly staging: GPUBuffer[] = [];
  private patch: GPUComputePipeline | undefined;

  constructor(device: GPUDevice, faults: Faults, pipelines: PipelineCache) {
    this.device = device;
    this.faults = faults;
    this.pipelines = pipelines;
  }

  upload(buffer: GpuBuffer, data: Uint8Array, offset: number): void {
    if (offset < 0 || offset + data.byteLength > buffer.bytes)
      throw new DeviceError(`upload of ${data.byteLength} bytes at ${offset} leaves a buffer of ${buffer.bytes} bytes`);
    this.faults.guard(
      () => `uploading ${data.byteLength} bytes`,
      () => this.write(buffer, data, offset),
    );
  }

  async download(buffer: GpuBuffer, offset: number, bytes: number): Promise<Uint8Array> {
    if (offset < 0 || offset + bytes > buffer.bytes)
      throw new DeviceError(`download of ${bytes} bytes at ${offset} leaves a buffer of ${buffer.bytes} bytes`);
    const start = offset - (offset % 4);
    const length = words(offset + bytes) - start;
    if (bytes === 0) return new Uint8Array(0);
    const staging = this.takeStaging(length);
    this.faults.guard(
      () => `reading ${bytes} bytes back`,
      () => {
        const encoder = this.device.createCommandEncoder();
        encoder.copyBufferToBuffer(buffer.gpu, start, staging, 0, length);
        this.device.queue.submit([encoder.finish()]);
      },
    );
    try {
      await staging.mapAsync(MAP_READ, 0, length);
    } catch (cause) {
      await this.faults.settle();
      throw new DeviceError(`reading ${bytes} bytes back from the GPU failed: ${(cause as Error).message}`, { cause });
    }
    const result = new Uint8Array(staging.getMappedRange(0, length)).slice(offset - start, offset - start + bytes);
    staging.unmap();
    if (this.staging.length < STAGING_KEPT) this.staging.push(staging);
    else staging.destroy();
    await this.faults.settle();
    return result;
  }

  /** Compiles what `upload` may need, so that it can stay synchronous. */
  async prepare(): Promise<void> {
    this.patch = await this.pipelines.get(PATCH_DISPATCH);
  }

  dispose(): void {
    for (const buffer of this.staging) buffer.destroy();
    this.staging.length = 0;
  }

  private takeStaging(length: number): GPUBuffer {
    const at = this.staging.findIndex((b) => b.size >= length && b.size <= 4 * sizeClass(length));
    if (at >= 0) return this.staging.splice(at, 1)[0]!;
    const size = Math.max(length, Math.min(sizeClass(length), this.device.limits.maxBufferSize));
    return this.faults.guard(
      () => `allocating ${size} bytes to read back`,
      () => this.device.createBuffer({ size, usage: USAGE.mapRead | USAGE.copyTarget }),
    );
  }

  /** Whole words are written by the queue, parts of words by a kernel. */
  private write(buffer: GpuBuffer, data: Uint8Array, offset: number): void {
    const end = offset + data.byteLength;
    const first = words(offset);
    // The last word of the buffer has no owner behind the end: it may be written whole.
    const last = end === buffer.bytes ? end : Math.max(first, end - (end % 4));
    if (first > offset) this.patchWord(buffer, first - 4, data, offset);
    if (last > first) {
      const part = data.subarray(first - offset, last - offset);
      const whole = part.byteLength - (part.byteLength % 4);
      if (whole > 0) this.device.queue.writeBuffer(buffer.gpu, first, plain(part.subarray(0, whole)));
      if (whole < part.byteLength) {
        const tail = new Uint8Array(4);
        tail.set(part.subarray(whole));
        this.device.queue.writeBuffer(buffer.gpu, first + whole, tail);
      }
    }
    if (last < end && last >= first) this.patchWord(buffer, last, data, offset);
  }

  /** Writes the bytes of `data` (which starts at `offset`) that lie in the word at byte `at`. */
  private patchWord(buffer: GpuBuffer, at: number, data: Uint8Array, offset: number): void {
    let mask = 0;
    let value = 0;
    for (let k = 0; k < 4; k++) {
      const i = at + k - offset;
      if (i < 0 || i >= data.byteLength) continue;
      mask |= 0xff << (8 * k);
      value |= data[i]! << (8 * k);
    }
    const params = this.device.createBuffer({ size: 16, usage: USAGE.uniform | USAGE.copyTarget });
    this.device.queue.writeBuffer(params, 0, Uint32Array.of(at / 4, mask, value, 0));
    const group = this.device.createBindGroup({
      layout: this.pipelines.layout(PATCH_DISPATCH).group,
      entries: [
        { binding: 0, resource: { buffer: params } },
        { binding: 1, resource: { buffer: buffer.gpu } },
      ],
    });
    const encoder = this.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(this.patch!);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(1);
    pass.end();
    this.device.queue.submit([encoder.finish()]);
    params.destroy();
  }
}

/** WebGPU takes no shared memory. */
function plain(data: Uint8Array): Uint8Array<ArrayBuffer> {
  return data.buffer instanceof ArrayBuffer ? (data as Uint8Array<ArrayBuffer>) : new Uint8Array(data);
}
