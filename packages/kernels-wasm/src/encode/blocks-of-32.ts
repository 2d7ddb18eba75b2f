import { encodeKernels, FREE } from "./encode-kernels.js";

/** Blocks that are encoded at a time. */
const CHUNK = 2048;
const X = FREE;
const OUT = X + CHUNK * 128;
/** Bytes of a block. */
const BYTES = { encodeQ4_0: 18, encodeQ8_0: 34 } as const;

/**
 * Blocks of 32 numbers in ggml's Q4_0 or Q8_0.
 * @param bytes gets the blocks
 * @returns the number of the first block whose scale is beyond f16, behind which nothing is written; -1 if there is none
 * @throws CapabilityError kinds `no-wasm-simd`, `no-wasm`
 */
export function encodeBlocksOf32(kind: keyof typeof BYTES, values: Float32Array, bytes: Uint8Array): number {
  const kernels = encodeKernels();
  const { memory } = kernels;
  const blocks = values.length / 32;
  for (let from = 0; from < blocks; from += CHUNK) {
    const count = Math.min(CHUNK, blocks - from);
    new Float32Array(memory, X, 32 * count).set(values.subarray(32 * from, 32 * (from + count)));
    const beyond = kernels[kind](X, OUT, count);
    if (beyond >= 0) return from + beyond;
    bytes.set(new Uint8Array(memory, OUT, BYTES[kind] * count), BYTES[kind] * from);
  }
  return -1;
}
