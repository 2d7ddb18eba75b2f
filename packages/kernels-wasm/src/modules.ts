import { bytesOf, compile, unshared } from "./compile.js";
import { PRODUCTS } from "./kernel-args.js";

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
