import { CapabilityError } from "@weft/tensor-core";
import { decodeBytes } from "./byte-text.js";
import { COMMON } from "./generated/common.js";
import { type KernelModule, PRODUCTS } from "./kernel-args.js";
import { plainSimd } from "./plain-simd.js";

/** Bytes of scratch memory that each thread gives its kernels. */
export const SCRATCH_BYTES: number = 512 << 10;

/** A kernel works on items start … end-1 of the job that its argument block describes. */
export type Kernel = (args: number, start: number, end: number) => void;

/** What every engine begins with, compiled once and instantiated on every thread. */
export interface Products {
  readonly module: WebAssembly.Module;
  /** Products are fused multiply-adds with one rounding. */
  readonly fused: boolean;
}

/** How a module imports `env.memory`: "env", "memory", a memory, shared and with a maximum. */
const SHARED_IMPORT = Uint8Array.of(3, 0x65, 0x6e, 0x76, 6, 0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79, 2, 3);

/** A module over a shared memory as one over a memory that is not shared; no kernel needs more than that flag. */
export function unshared(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const result = bytes.slice();
  const at = result.findIndex((_, i) => SHARED_IMPORT.every((byte, k) => result[i + k] === byte));
  result[at + SHARED_IMPORT.length - 1] = 1;
  return result;
}

/** @throws CapabilityError kinds `no-wasm-simd`, `no-wasm` */
function compile(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Module {
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

/** The module if relaxed SIMD compiles here and its multiply-add is fused in hardware. */
function probeRelaxed(bytes: Uint8Array<ArrayBuffer>, shared: boolean): WebAssembly.Module | undefined {
  if (!WebAssembly.validate(bytes)) return undefined;
  const module = compile(bytes);
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared });
  const { exports } = new WebAssembly.Instance(module, { env: { memory, scratch: 0, decode: () => 0 } });
  return (exports.probeFused as () => number)() === 0 ? undefined : module;
}

interface Compiled {
  plain?: WebAssembly.Module;
  relaxed?: WebAssembly.Module | null;
}
/** Compiled once per process, for each kind of memory. */
const compiled: { readonly shared: Compiled; readonly unshared: Compiled } = { shared: {}, unshared: {} };

/** The bytes of a module over shared memory. @param fused with fused multiply-adds, not a product and a sum for each */
export function bytesOf({ code }: KernelModule, fused: boolean): Uint8Array<ArrayBuffer> {
  const bytes = decodeBytes(code, COMMON);
  return fused ? bytes : plainSimd(bytes);
}

/**
 * Compiles the products; with `relaxed`, the build with fused multiply-add where the machine has it.
 * @throws CapabilityError kinds `no-wasm-simd`, `no-wasm` (a page's policy forbids it)
 */
export function compileProducts(relaxed: boolean, shared = true): Products {
  const known = compiled[shared ? "shared" : "unshared"];
  const bytes = (fused: boolean): Uint8Array<ArrayBuffer> => (shared ? bytesOf(PRODUCTS, fused) : unshared(bytesOf(PRODUCTS, fused)));
  if (relaxed && known.relaxed === undefined) known.relaxed = probeRelaxed(bytes(true), shared) ?? null;
  if (relaxed && known.relaxed) return { module: known.relaxed, fused: true };
  known.plain ??= compile(bytes(false));
  return { module: known.plain, fused: false };
}
