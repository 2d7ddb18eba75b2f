import type { Peers } from "../../peers/install.js";
import { timeCalls } from "../../turns.js";
import type { Engine } from "./engine.js";

interface JaxArray {
  /** A counted reference for a function that consumes its arguments. */
  readonly ref: JaxArray;
  data(): Promise<Float32Array>;
  dispose(): void;
}

interface Jax {
  init(...devices: string[]): Promise<string[]>;
  defaultDevice(device: string): void;
  blockUntilReady(x: JaxArray): Promise<unknown>;
  jit(f: (a: JaxArray, b: JaxArray) => JaxArray): (a: JaxArray, b: JaxArray) => JaxArray;
  readonly numpy: {
    array(values: Float32Array, options: { readonly shape: readonly number[] }): JaxArray;
    matmul(a: JaxArray, b: JaxArray): JaxArray;
  };
}

/** jax-js on its WebAssembly backend, jitted. */
export async function jaxEngine(peers: Peers): Promise<Engine> {
  const jax = (await peers.load("@jax-js/jax")) as Jax;
  await jax.init("wasm");
  jax.defaultDevice("wasm");
  const name = "jax-js wasm 1 thread";
  return {
    name,
    async prepare({ m, k, n, a, b }) {
      const [x, y] = [jax.numpy.array(a, { shape: [m, k] }), jax.numpy.array(b, { shape: [k, n] })];
      const product = jax.jit((p, q) => jax.numpy.matmul(p, q));
      const run = async (): Promise<void> => {
        const c = product(x.ref, y.ref);
        await jax.blockUntilReady(c.ref);
        c.dispose();
      };
      return {
        name,
        turn: (seconds) => timeCalls(run, seconds),
        result: () => product(x.ref, y.ref).data(),
        release() {
          x.dispose();
          y.dispose();
        },
      };
    },
  };
}
