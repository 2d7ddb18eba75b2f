/// <reference types="@webgpu/types" preserve="true" />
import { CapabilityError, Device } from "@weft/tensor-core";
import { createWebGpuBackend, type WebGpuBackend, type WebGpuOptions } from "../backend.js";
import { readTuning, tuningFile } from "./tuning-file.js";

export { readTuning, tuningFile, writeTuning } from "./tuning-file.js";

/** Options of the GPU backend in Node, besides those of `createWebGpuBackend`. */
export interface NodeWebGpuOptions extends WebGpuOptions {
  /** Flags for Dawn, as `create` of the package `webgpu` takes them (for instance `backend=vulkan`). */
  readonly dawnFlags?: readonly string[];
  /** File with tunings, as `weft bench --tune` writes it; the user's own (`tuningFile()`) if not given, none if false. */
  readonly tuningFile?: string | false;
  /** Told why a file with tunings is not used; `console.warn` if not given. */
  readonly warn?: (text: string) => void;
}

/**
 * What Dawn has opened, by its flags. Each stays for good: Dawn looks for what has happened from timers of its own, and does so in freed memory (a crash,
 * or a lock that nobody gives back) where the collector takes the object before the last of them.
 */
const opened = new Map<string, GPU>();

/**
 * The entry to the GPUs of this machine by way of Dawn (the optional peer dependency `webgpu`), one for each set of flags. Node does not exit while a
 * device is open.
 * @throws CapabilityError kind `no-webgpu` if the package is not installed
 */
export async function openGpu(dawnFlags: readonly string[] = []): Promise<GPU> {
  const flags = dawnFlags.join("\n");
  try {
    const { create } = await import("webgpu");
    const gpu = opened.get(flags) ?? create([...dawnFlags]);
    opened.set(flags, gpu);
    return gpu;
  } catch (cause) {
    throw new CapabilityError(`the package "webgpu" cannot be loaded: ${(cause as Error).message}`, {
      kind: "no-webgpu",
      hint: "npm install webgpu",
      cause,
    });
  }
}

/** A backend on a GPU of this machine. @throws DeviceError kind `no-adapter` if there is none */
export async function createNodeWebGpuBackend(options: NodeWebGpuOptions = {}): Promise<WebGpuBackend> {
  const gpu = await openGpu(options.dawnFlags);
  const path = options.tuningFile ?? tuningFile();
  const tuning: WebGpuOptions["tuning"] = path
    ? (device, limits) => readTuning(path, device.adapterInfo, limits, options.warn ?? console.warn)
    : undefined;
  return createWebGpuBackend(gpu, { ...(tuning && { tuning }), ...options });
}

/** A `Device` whose graphs run on a GPU of this machine. @see createNodeWebGpuBackend */
export async function createNodeWebGpuDevice(options: NodeWebGpuOptions = {}): Promise<Device> {
  return new Device(await createNodeWebGpuBackend(options));
}
