/// <reference types="@webgpu/types" preserve="true" />
import { type Backend, CapabilityError, Device } from "@weft/tensor-core";
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
 * The entry to the GPUs of this machine by way of Dawn (the optional peer dependency `webgpu`).
 * Node does not exit while the object is referenced and a device is open.
 * @throws CapabilityError kind `no-webgpu` if the package is not installed
 */
export async function openGpu(dawnFlags: readonly string[] = []): Promise<GPU> {
  try {
    const { create } = await import("webgpu");
    return create([...dawnFlags]);
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
  let gpu: GPU | undefined = await openGpu(options.dawnFlags);
  const path = options.tuningFile ?? tuningFile();
  const tuning: WebGpuOptions["tuning"] = path
    ? (device, limits) => readTuning(path, device.adapterInfo, limits, options.warn ?? console.warn)
    : undefined;
  const backend = await createWebGpuBackend(gpu, { ...(tuning && { tuning }), ...options });
  const dispose: Backend["dispose"] = () => {
    backend.dispose();
    gpu = undefined; // the last reference: Node may exit now
  };
  return { ...backend, dispose };
}

/** A `Device` whose graphs run on a GPU of this machine. @see createNodeWebGpuBackend */
export async function createNodeWebGpuDevice(options: NodeWebGpuOptions = {}): Promise<Device> {
  return new Device(await createNodeWebGpuBackend(options));
}
