import { setFlagsFromString } from "node:v8";

/** (func (result v128) three times i32.const 0 i8x16.splat, then f32x4.relaxed_madd) */
const RELAXED_MADD = Uint8Array.from(
  Buffer.from("0061736d010000000105016000017b030201000a130111004100fd0f4100fd0f4100fd0ffd85020b", "hex"),
);

/** Whether relaxed SIMD (fused multiply-add) compiles here. */
export const hasRelaxedSimd = (): boolean => WebAssembly.validate(RELAXED_MADD);

/**
 * Turns relaxed SIMD on in Node versions that have it behind a flag: Node 20. Only for programs, before the first engine is made: it changes
 * the whole process.
 */
export function enableRelaxedSimd(): void {
  // V8 does not throw for a flag that it does not know (any more), it prints an error.
  if (!hasRelaxedSimd()) setFlagsFromString("--experimental-wasm-relaxed-simd");
}
