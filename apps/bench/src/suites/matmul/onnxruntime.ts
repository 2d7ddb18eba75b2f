import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { matmulModel } from "../../peers/onnx-model.js";
import type { Peers } from "../../peers/install.js";
import { timeCalls } from "../../turns.js";
import type { Engine } from "./engine.js";

interface OrtTensor {
  readonly data: Float32Array;
}

/** What onnxruntime-node and -web have in common, as far as it is used. */
interface Ort {
  readonly Tensor: new (type: "float32", data: Float32Array, shape: readonly number[]) => OrtTensor;
  readonly InferenceSession: {
    create(
      model: Uint8Array,
      options: object,
    ): Promise<{ run(feeds: object, fetches?: object): Promise<{ readonly C: OrtTensor }>; release(): Promise<void> }>;
  };
  readonly env: { readonly wasm: { numThreads?: number; wasmPaths?: string } };
}

/** ONNX Runtime: the native one of Node (threads as asked), or WebAssembly on one thread (in Node more give nothing). */
export async function onnxruntimeEngine(peers: Peers, kind: "node" | "web", threads: number): Promise<Engine> {
  const packageName = `onnxruntime-${kind}` as const;
  const module = (await peers.load(packageName)) as Ort & { readonly default?: Ort };
  const ort = module.InferenceSession ? module : module.default!;
  if (kind === "web") {
    ort.env.wasm.numThreads = threads;
    ort.env.wasm.wasmPaths = `${pathToFileURL(join(peers.folder(packageName), "dist")).href}/`;
  }
  const name = `${packageName} ${threads} ${threads === 1 ? "thread" : "threads"}`;
  return {
    name,
    async prepare({ m, k, n, a, b }) {
      const session = await ort.InferenceSession.create(matmulModel(m, k, n), {
        executionProviders: [kind === "node" ? "cpu" : "wasm"],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        executionMode: "sequential",
      });
      const feeds = { A: new ort.Tensor("float32", a, [m, k]), B: new ort.Tensor("float32", b, [k, n]) };
      // In Node it leaves Worker behind as a global, by which jax-js takes this for a page with shared memory.
      if (kind === "web") delete (globalThis as { Worker?: unknown }).Worker;
      // The native one writes into memory that is given.
      const fetches = kind === "node" ? { C: new ort.Tensor("float32", new Float32Array(m * n), [m, n]) } : undefined;
      const run = (): Promise<{ readonly C: OrtTensor }> => session.run(feeds, fetches);
      return {
        name,
        turn: (seconds) => timeCalls(run, seconds),
        result: async () => (await run()).C.data,
        release: () => session.release(),
      };
    },
  };
}
