import { createWasmBackend } from "@weft/kernels-wasm";
import { createDevice, createReferenceBackend, type Device } from "@weft/tensor-core";

/** The device that `WEFT_BACKEND` names: `reference`, `cpu` (default) or `webgpu`. */
export function goldenDevice(name: string = process.env["WEFT_BACKEND"] ?? "cpu"): Promise<Device> {
  return createDevice(name, {
    cpu: () => createWasmBackend({ threads: 1 }),
    webgpu: async () => (await import("@weft/kernels-webgpu/node")).createNodeWebGpuBackend(),
    reference: createReferenceBackend,
  });
}
