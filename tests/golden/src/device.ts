import { createOnnxBackend } from "@weft/kernels-onnx";
import { createWasmBackend } from "@weft/kernels-wasm";
import { createDevice, createReferenceBackend, type Device } from "@weft/tensor-core";

/** The device that `WEFT_BACKEND` names: `reference`, `cpu` (default), `onnx` or `webgpu`. */
export function goldenDevice(name: string = process.env["WEFT_BACKEND"] ?? "cpu"): Promise<Device> {
  return createDevice(name, {
    cpu: () => createWasmBackend({ threads: 1 }),
    onnx: () => createOnnxBackend({ threads: 1 }),
    // SwiftShader zeroes workgroup memory by one store per element and compiles that for long; no kernel reads what it has not written.
    webgpu: async () =>
      (await import("@weft/kernels-webgpu/node")).createNodeWebGpuBackend({ dawnFlags: ["enable-dawn-features=disable_workgroup_init"] }),
    reference: createReferenceBackend,
  });
}
