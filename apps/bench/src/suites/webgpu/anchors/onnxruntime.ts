import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Peers } from "../../../peers/install.js";
import { matmulModel } from "../../../peers/onnx-model.js";
import { type Anchor, timeQueued } from "./anchor.js";

interface OrtTensor {
  getData(): Promise<Float32Array>;
  dispose(): void;
}

interface Ort {
  readonly Tensor: {
    fromGpuBuffer(buffer: GPUBuffer, options: { readonly dataType: "float32"; readonly dims: readonly number[] }): OrtTensor;
  };
  readonly InferenceSession: {
    create(
      model: Uint8Array,
      options: object,
    ): Promise<{ run(feeds: object): Promise<{ readonly C: OrtTensor }>; release(): Promise<void> }>;
  };
  readonly env: {
    readonly wasm: { numThreads?: number; wasmPaths?: string };
    readonly webgpu: { readonly device: GPUDevice | Promise<GPUDevice> };
  };
}

/** GPUBufferUsage: STORAGE, COPY_SRC and COPY_DST. */
const USAGE = 0x80 | 0x4 | 0x8;

/** onnxruntime-web on `navigator.gpu`; inputs and result stay on the GPU. */
export async function onnxruntimeAnchor(peers: Peers): Promise<Anchor> {
  const ort = (await peers.load("onnxruntime-web/webgpu")) as Ort;
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = `${pathToFileURL(join(peers.folder("onnxruntime-web"), "dist")).href}/`;
  const name = "onnxruntime-web webgpu";
  return {
    name,
    async prepare({ m, k, n, a, b }) {
      const session = await ort.InferenceSession.create(matmulModel(m, k, n), {
        executionProviders: ["webgpu"],
        preferredOutputLocation: "gpu-buffer",
      });
      const device = await ort.env.webgpu.device;
      const buffers: GPUBuffer[] = [];
      const upload = (values: Float32Array, dims: readonly number[]): OrtTensor => {
        const buffer = device.createBuffer({ size: values.byteLength, usage: USAGE });
        device.queue.writeBuffer(buffer, 0, values as Float32Array<ArrayBuffer>);
        buffers.push(buffer);
        return ort.Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims });
      };
      const feeds = { A: upload(a, [m, k]), B: upload(b, [k, n]) };
      const start = async (): Promise<void> => (await session.run(feeds)).C.dispose();
      return {
        name,
        turn: (seconds) => timeQueued(start, () => device.queue.onSubmittedWorkDone(), seconds),
        async result() {
          const { C } = await session.run(feeds);
          const values = await C.getData();
          C.dispose();
          return values;
        },
        async release() {
          await session.release();
          for (const buffer of buffers) buffer.destroy();
        },
      };
    },
  };
}
