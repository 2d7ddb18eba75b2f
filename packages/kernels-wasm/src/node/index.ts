import { setFlagsFromString } from "node:v8";

/**
 * Turns relaxed SIMD (fused multiply-add) on in Node versions that have it behind a flag. Only for programs, before the first engine is
 * made: it changes the whole process.
 */
export function enableRelaxedSimd(): void {
  try {
    setFlagsFromString("--experimental-wasm-relaxed-simd");
  } catch {
    // Later versions have it without a flag.
  }
}
