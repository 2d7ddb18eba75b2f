import { createOnnxBackend } from "@weft/kernels-onnx";
import { WasmBackend } from "@weft/kernels-wasm";
import { createNodeWebGpuBackend } from "@weft/kernels-webgpu/node";
import { type Backend, createReferenceBackend } from "@weft/tensor-core";

export const BACKENDS = ["reference", "cpu", "cpu-2-threads", "onnx", "webgpu"] as const;
export type BackendName = (typeof BACKENDS)[number];

/** Opens a backend by its name; undefined where this machine has no GPU, not even in software, or no onnxruntime. */
export async function openBackend(name: BackendName): Promise<Backend | undefined> {
  switch (name) {
    case "reference":
      return createReferenceBackend();
    case "cpu":
      return new WasmBackend({ threads: 1, relaxed: false });
    case "cpu-2-threads":
      return new WasmBackend({ threads: 2 });
    case "onnx":
      return createOnnxBackend({ threads: 2 }).catch(() => undefined);
    case "webgpu":
      try {
        // SwiftShader zeroes workgroup memory by one store per element and compiles that for seconds.
        return await createNodeWebGpuBackend({ tuningFile: false, dawnFlags: ["enable-dawn-features=disable_workgroup_init"] });
      } catch {
        return undefined;
      }
  }
}
