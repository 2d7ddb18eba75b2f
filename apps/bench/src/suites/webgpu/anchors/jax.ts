import type { Peers } from "../../../peers/install.js";
import { type Anchor, timeQueued } from "./anchor.js";

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

/** jax-js on `navigator.gpu`. */
export async function jaxAnchor(peers: Peers): Promise<Anchor> {
  const jax = (await peers.load("@jax-js/jax")) as Jax;
  const devices = await jax.init("webgpu");
  if (!devices.includes("webgpu")) throw new Error("jax-js finds no WebGPU");
  const name = "jax-js webgpu";
  return {
    name,
    async prepare({ m, k, n, a, b }) {
      jax.defaultDevice("webgpu");
      const [x, y] = [jax.numpy.array(a, { shape: [m, k] }), jax.numpy.array(b, { shape: [k, n] })];
      const product = jax.jit((p, q) => jax.numpy.matmul(p, q));
      let last: JaxArray | undefined;
      const start = (): void => {
        last?.dispose();
        last = product(x.ref, y.ref);
      };
      return {
        name,
        turn: (seconds) => timeQueued(start, () => jax.blockUntilReady(last!.ref), seconds),
        result: () => product(x.ref, y.ref).data(),
        release() {
          for (const array of [x, y, last]) array?.dispose();
        },
      };
    },
  };
}
