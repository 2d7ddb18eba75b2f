import { join } from "node:path";
import type { Peers } from "../../peers/install.js";
import { timeCalls } from "../../turns.js";
import type { Engine } from "./engine.js";

interface TfTensor {
  dataSync(): Float32Array;
  dispose(): void;
}

interface Tf {
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  tensor2d(values: Float32Array, shape: [number, number]): TfTensor;
  matMul(a: TfTensor, b: TfTensor): TfTensor;
}

/** TensorFlow.js on WebAssembly (XNNPACK); in Node it has one thread. */
export async function tfjsEngine(peers: Peers): Promise<Engine> {
  const tf = (await peers.load("@tensorflow/tfjs-core")) as Tf;
  const backend = (await peers.load("@tensorflow/tfjs-backend-wasm")) as {
    setWasmPaths?: (path: string) => void;
    readonly default?: { setWasmPaths(path: string): void };
  };
  (backend.setWasmPaths ?? backend.default!.setWasmPaths)(`${join(peers.folder("@tensorflow/tfjs-backend-wasm"), "dist")}/`);
  if (!(await tf.setBackend("wasm"))) throw new Error("tfjs: the wasm backend did not start");
  await tf.ready();
  const name = "tfjs wasm 1 thread";
  return {
    name,
    async prepare({ m, k, n, a, b }) {
      const [x, y] = [tf.tensor2d(a, [m, k]), tf.tensor2d(b, [k, n])];
      return {
        name,
        turn: (seconds) => timeCalls(() => tf.matMul(x, y).dispose(), seconds),
        async result() {
          const c = tf.matMul(x, y);
          const data = c.dataSync();
          c.dispose();
          return data;
        },
        release() {
          x.dispose();
          y.dispose();
        },
      };
    },
  };
}
