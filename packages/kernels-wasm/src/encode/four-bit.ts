import { encodeKernels, FREE } from "./encode-kernels.js";

/** Numbers that are encoded at a time: a multiple of every block size. */
const CHUNK = 1 << 16;
const [THRESHOLDS, CODES, ABSMAX] = [FREE, FREE + 64, FREE + 128];
const X = ABSMAX + CHUNK / 4;
const PACKED = X + 4 * CHUNK;

/** Sixteen levels in their order. */
export interface LevelTable {
  /** What lies between neighbours, 15 of them: a number that is larger belongs to the next level. */
  readonly thresholds: Float32Array;
  /** The code of each level. */
  readonly codes: Uint8Array;
}

/**
 * Codes of four bits of whole blocks, each divided by its largest magnitude.
 * @param blocksize a power of two from 16 to 4096
 * @param packed gets the codes: that of number 2k in the upper half of byte k
 * @param absmax gets the largest magnitudes, f32
 * @throws CapabilityError kinds `no-wasm-simd`, `no-wasm`
 * @see bitsandbytes `backends/default/ops.py` quantize_4bit
 */
export function encodeFourBitBlocks(
  values: Float32Array,
  { thresholds, codes }: LevelTable,
  blocksize: number,
  packed: Uint8Array,
  absmax: Float32Array,
): void {
  const kernels = encodeKernels();
  const { memory } = kernels;
  new Float32Array(memory, THRESHOLDS, 15).set(thresholds);
  new Uint8Array(memory, CODES, 16).set(codes);
  for (let from = 0; from < values.length; from += CHUNK) {
    const count = Math.min(CHUNK, values.length - from);
    new Float32Array(memory, X, count).set(values.subarray(from, from + count));
    kernels.encodeFourBit(X, PACKED, ABSMAX, count / blocksize, blocksize, THRESHOLDS, CODES);
    packed.set(new Uint8Array(memory, PACKED, count / 2), from / 2);
    absmax.set(new Float32Array(memory, ABSMAX, count / blocksize), from / blocksize);
  }
}
