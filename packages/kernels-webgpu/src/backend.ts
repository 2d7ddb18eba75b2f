import {
  Arena,
  type Backend,
  type BackendBuffer,
  type BackendStatistics,
  bytesPerElement,
  type CompositeCall,
  Device,
  DeviceError,
  type Executable,
  sizeOf,
} from "@weft/tensor-core";
import { KERNELS, type KernelTable } from "./kernels/index.js";
import type { KernelLimits } from "./kernels/kernel.js";
import { type GpuSource, openDevice, type OpenOptions } from "./open-device.js";
import { BufferPool, type GpuBuffer } from "./runtime/buffers.js";
import { WebGpuExecutable, type Runtime, writePlan } from "./runtime/executable.js";
import { Faults } from "./runtime/faults.js";
import { PipelineCache } from "./runtime/pipelines.js";
import { hasSubgroups } from "./runtime/subgroups.js";
import { Transfer } from "./runtime/transfer.js";
import type { Tuning } from "./tuning/tuning.js";

/** Options of the GPU backend: which GPU, how much memory it may keep, its kernels and their tiles. */
export interface WebGpuOptions extends OpenOptions {
  /** Bytes that the backend may hold on the GPU, idle buffers included; beyond it `allocate` throws. No limit if not given. */
  readonly memoryBudget?: number;
  /** The kernels to use; a composite without a row runs as its decomposition. */
  readonly kernels?: KernelTable;
  /** Sizes of tiles and workgroups for the device that was opened; `DEFAULT_TUNING` if not given or undefined. @see tune */
  readonly tuning?: (device: GPUDevice, limits: KernelLimits) => Tuning | undefined;
}

/** What a backend holds on the GPU now. */
export interface WebGpuStatistics extends BackendStatistics {
  /** Bytes of buffers that were freed and wait for the next who asks. */
  readonly idleBytes: number;
  /** Shaders compiled so far. */
  readonly pipelines: number;
}

/** A `Backend` on a GPU. */
export interface WebGpuBackend extends Backend {
  readonly device: GPUDevice;
  readonly limits: KernelLimits;
  statistics(): WebGpuStatistics;
  /**
   * Runs a lowered plan `repeats` times in one pass and measures it by the GPU's clock: seconds per run. GPUs may measure in coarse steps:
   * let the pass take 10 ms or more.
   * @throws CapabilityError kind `no-timestamps` if the device has no such clock
   */
  time(executable: Executable, inputs: readonly BackendBuffer[], outputs: readonly BackendBuffer[], repeats: number): Promise<number>;
  /** Waits until all runs so far are done. @throws DeviceError for what failed in them. */
  finish(): Promise<void>;
}

function kernelLimits({ limits }: GPUDevice): KernelLimits {
  return {
    maxStorageBuffers: limits.maxStorageBuffersPerShaderStage,
    maxGroups: limits.maxComputeWorkgroupsPerDimension,
    maxInvocations: limits.maxComputeInvocationsPerWorkgroup,
    maxWorkgroupBytes: limits.maxComputeWorkgroupStorageSize,
    maxBinding: limits.maxStorageBufferBindingSize,
  };
}

/** Composites whose operands are larger than a binding run as decompositions, whose steps can be split. */
function bindable({ inputs, outputs }: CompositeCall, { maxBinding }: KernelLimits): boolean {
  return [...inputs, ...outputs].every((t) => sizeOf(t.shape) * bytesPerElement(t.dtype) <= maxBinding);
}

/**
 * A backend on a GPU.
 * @param source `navigator.gpu` (undefined where a browser has none), an adapter, or a device (which then is not destroyed by `dispose`)
 * @throws CapabilityError kind `no-webgpu` without a source; DeviceError kind `no-adapter` if there is no GPU
 */
export async function createWebGpuBackend(source: GpuSource | undefined, options: WebGpuOptions = {}): Promise<WebGpuBackend> {
  const { device, owned } = await openDevice(source, options);
  const faults = new Faults(device);
  const pool = new BufferPool(device, faults, options.memoryBudget ?? Infinity);
  const arena = new Arena(
    (bytes) => pool.allocate(bytes),
    (buffer: GpuBuffer) => pool.free(buffer),
  );
  const pipelines = new PipelineCache(device);
  const transfer = new Transfer(device, faults, pipelines);
  await transfer.prepare();
  const tuning = options.tuning?.(device, kernelLimits(device));
  const limits: KernelLimits = {
    ...kernelLimits(device),
    subgroups: await hasSubgroups(device),
    f16: device.features.has("shader-f16"),
    ...(tuning && { tuning }),
  };
  const kernels = options.kernels ?? KERNELS;
  const runtime: Runtime = { device, pool, arena, pipelines, faults, limits, kernels };
  const live = (buffer: BackendBuffer): GpuBuffer => {
    const mine = buffer as GpuBuffer;
    if (mine.freed) throw new DeviceError("buffer is used after it was freed");
    return mine;
  };
  let disposed = false;
  let allocations = 0;
  return {
    name: "webgpu",
    device,
    limits,
    capabilities: { maxBufferBytes: device.limits.maxBufferSize, threads: 1, hostVisible: false },
    allocate(bytes) {
      faults.check();
      allocations++;
      return pool.allocate(bytes);
    },
    free: (buffer) => void (disposed || pool.free(buffer as GpuBuffer)),
    upload(buffer, data, offset = 0) {
      faults.check();
      transfer.upload(live(buffer), data, offset);
    },
    async download(buffer, offset, bytes) {
      faults.check();
      return transfer.download(live(buffer), offset, bytes);
    },
    claims: (call: CompositeCall) => bindable(call, limits) && (kernels.composites[call.name]?.claims(call, limits) ?? false),
    footprint: (plan) => writePlan(runtime, plan).footprint,
    async lower(plan): Promise<Executable> {
      faults.check();
      return WebGpuExecutable.lower(runtime, plan);
    },
    run(executable, inputs, outputs) {
      faults.check();
      (executable as WebGpuExecutable).run(inputs.map(live), outputs.map(live));
    },
    statistics: () => ({
      usedBytes: pool.usedBytes,
      totalBytes: pool.totalBytes,
      idleBytes: pool.idleBytes,
      arenaBytes: arena.bytes,
      planBytes: pool.reservedBytes,
      allocations,
      pipelines: pipelines.size,
    }),
    async time(executable, inputs, outputs, repeats) {
      faults.check();
      const seconds = await (executable as WebGpuExecutable).time(inputs.map(live), outputs.map(live), repeats);
      await faults.settle();
      return seconds;
    },
    async finish() {
      await device.queue.onSubmittedWorkDone();
      await faults.settle();
    },
    dispose() {
      if (disposed) return;
      disposed = true;
      faults.close();
      transfer.dispose();
      pool.dispose();
      if (owned) device.destroy();
    },
  };
}

/** A `Device` whose graphs run on a GPU. @see createWebGpuBackend */
export async function createWebGpuDevice(source: GpuSource | undefined, options: WebGpuOptions = {}): Promise<Device> {
  return new Device(await createWebGpuBackend(source, options));
}
