import { existsSync } from "node:fs";
import { type Backend, CapabilityError, createDevice, type Device } from "@weft/tensor-core";
import type { GlobalOptions } from "../global-options.js";
import type { Output } from "../output.js";
import type { Activations, DeviceName } from "./device-names.js";

/** Device files of GPUs on Linux; looking for a GPU without them makes drivers complain on stderr. */
const GPU_FILES = ["/dev/dri", "/dev/nvidiactl", "/dev/kfd", "/dev/dxg"];

const mayHaveGpu = (): boolean => process.platform !== "linux" || GPU_FILES.some((file) => existsSync(file));

/** What of a command's context a device depends on. */
export interface DeviceContext {
  readonly options: Pick<GlobalOptions, "jobs" | "verbose">;
  readonly out: Pick<Output, "note">;
}

/**
 * The device of a name; `auto`: a real GPU, else WebAssembly. onnxruntime is asked for by name: its first token takes more than twice as long, since all weights are written
 * in its form, and training on packed weights twice the memory, which long prompts and training in f32 make up for, but a few answers do not.
 */
export async function openDevice(name: DeviceName, { options, out }: DeviceContext, activations: Activations = "f32"): Promise<Device> {
  const settings = { activations, ...(options.jobs !== undefined && { threads: options.jobs }) };
  const onnx = async (): Promise<Backend> => (await import("@weft/kernels-onnx")).createOnnxBackend(settings);
  return createDevice(
    name,
    {
      async webgpu() {
        if (name === "auto" && !mayHaveGpu()) throw new CapabilityError("there is no device file of a GPU");
        return (await import("@weft/kernels-webgpu/node")).createNodeWebGpuBackend({ software: false });
      },
      async cpu() {
        const [{ createWasmBackend }, { enableRelaxedSimd }] = await Promise.all([
          import("@weft/kernels-wasm"),
          import("@weft/kernels-wasm/node"),
        ]);
        enableRelaxedSimd();
        return createWasmBackend(settings);
      },
      ...(name === "onnx" && { onnx }),
    },
    { checkIndices: true, ...(options.verbose && { skipped: (line: string) => out.note(line) }) },
  );
}
