import { CapabilityError } from "@weft/tensor-core";
import { decodeBytes } from "./byte-text.js";
import { COMMON } from "./generated/common.js";
import type { KernelModule } from "./kernel-args.js";
import { plainSimd } from "./plain-simd.js";

/** How a module imports `env.memory`: "env", "memory", a memory, shared and with a maximum. */
const SHARED_IMPORT = Uint8Array.of(3, 0x65, 0x6e, 0x76, 6, 0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79, 2, 3);

/** A module over a shared memory as one over a memory that is not shared; no kernel needs more than that flag. */
export function unshared(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const result = bytes.slice();
  const at = result.findIndex((_, i) => SHARED_IMPORT.every((byte, k) => result[i + k] === byte));
  result[at + SHARED_IMPORT.length - 1] = 1;
  return result;
}

/** A module of its bytes. @throws CapabilityError kinds `no-wasm-simd`, `no-wasm` */
export function compile(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Module {
  if (typeof WebAssembly === "undefined")
    throw new CapabilityError("there is no WebAssembly here", { kind: "no-wasm", hint: "use the WebGPU backend, or another browser" });
  if (!WebAssembly.validate(bytes))
    throw new CapabilityError("WebAssembly has no SIMD here", {
      kind: "no-wasm-simd",
      hint: "update the browser (SIMD is in Chrome 91, Firefox 89, Safari 16.4), or use the WebGPU backend",
    });
  try {
    return new WebAssembly.Module(bytes);
  } catch (cause) {
    throw new CapabilityError(`WebAssembly may not be compiled here: ${(cause as Error).message}`, {
      kind: "no-wasm",
      cause,
      hint: "in a page: allow it in the Content-Security-Policy with script-src 'wasm-unsafe-eval'",
    });
  }
}

/** The bytes of a module over shared memory. @param fused with fused multiply-adds, not a product and a sum for each */
export function bytesOf({ code }: Pick<KernelModule, "code">, fused: boolean): Uint8Array<ArrayBuffer> {
  const bytes = decodeBytes(code, COMMON);
  return fused ? bytes : plainSimd(bytes);
}
