import { bytesOf, compile, unshared } from "../compile.js";
import { code } from "../generated/encode.js";

/** What the module of src/kernels/groups/encode.wasm.ts exports: addresses in bytes, counts. */
interface Exports {
  readonly encodeQ4_0: (x: number, to: number, blocks: number) => number;
  readonly encodeQ8_0: (x: number, to: number, blocks: number) => number;
  readonly searchAffine: (
    ...args: readonly [
      x: number,
      weights: number,
      scales: number,
      minima: number,
      codes: number,
      runs: number,
      size: number,
      most: number,
      first: number,
      step: number,
      tries: number,
      absolute: number,
    ]
  ) => void;
  readonly searchSymmetric: (
    ...args: readonly [x: number, weights: number, scales: number, inverses: number, runs: number, most: number]
  ) => void;
  readonly encodeFourBit: (
    ...args: readonly [x: number, packed: number, absmax: number, blocks: number, blocksize: number, thresholds: number, codes: number]
  ) => void;
}

/** Kernels over a memory of their own, which never grows. */
export interface EncodeKernels extends Exports {
  readonly memory: ArrayBuffer;
}

/** Where each thread's own memory has room for the kernels and, behind it, for numbers. */
const SCRATCH = 64;
export const FREE: number = 16 << 10;
const MEMORY_BYTES = 512 << 10;

let made: EncodeKernels | undefined;

/** The kernels of this thread, compiled when first asked for. @throws CapabilityError kinds `no-wasm-simd`, `no-wasm` */
export function encodeKernels(): EncodeKernels {
  if (made) return made;
  const pages = MEMORY_BYTES >> 16;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const module = compile(unshared(bytesOf({ code }, true)));
  const { exports } = new WebAssembly.Instance(module, { env: { memory, scratch: SCRATCH } });
  return (made = { ...(exports as unknown as Exports), memory: memory.buffer });
}
