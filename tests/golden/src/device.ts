import { createWasmBackend } from "@weft/kernels-wasm";
import { Device, referenceDevice } from "@weft/tensor-core";

/** The device that `WEFT_BACKEND` names: `reference`, `cpu` (default) or `webgpu`. */
export async function goldenDevice(name: string = process.env["WEFT_BACKEND"] ?? "cpu"): Promise<Device> {
  if (name === "reference") return referenceDevice();
  if (name === "cpu") return new Device(await createWasmBackend({ threads: 1 }));
  if (name === "webgpu") {
    const { createNodeWebGpuBackend } = await import("@weft/kernels-webgpu/node");
    return new Device(await createNodeWebGpuBackend());
  }
  throw new Error(`WEFT_BACKEND is "${name}", expected reference, cpu or webgpu`);
}
