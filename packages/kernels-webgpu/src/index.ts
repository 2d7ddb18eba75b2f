/// <reference types="@webgpu/types" preserve="true" />
export { createWebGpuBackend, createWebGpuDevice, type WebGpuBackend, type WebGpuOptions, type WebGpuStatistics } from "./backend.js";
export { KERNELS, type KernelTable } from "./kernels/index.js";
export type { Binding, CompositeKernel, Dispatch, Kernel, KernelCall, KernelLimits, LowerContext } from "./kernels/kernel.js";
export type { GpuSource, OpenOptions } from "./open-device.js";
export { type RecoveryOptions, withRecovery } from "./runtime/recovery.js";
export { type MeasureOptions, secondsPerRun } from "./tuning/measure.js";
export { tune, type TuneOptions } from "./tuning/tune.js";
export { DEFAULT_TUNING, parseTuning, type TileSize, type Tuning, type TuningLimits } from "./tuning/tuning.js";
