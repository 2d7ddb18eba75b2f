import { GENERAL, MATMUL, MATMUL_RELAXED } from "./generated/kernels.js";

/** Bytes of scratch memory that each thread gives its kernels. */
export const SCRATCH_BYTES: number = 256 << 10;

/** A kernel works on items start … end-1 of the job that its argument block describes. */
export type Kernel = (args: number, start: number, end: number) => void;

/** The modules of one engine, compiled once and instantiated on every thread. */
export interface Modules {
  readonly matmul: WebAssembly.Module;
  readonly general: WebAssembly.Module;
  /** Products are fused multiply-adds with one rounding. */
  readonly fused: boolean;
}

function decodeHex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

/** True if relaxed SIMD compiles here and its multiply-add is fused in hardware. */
function probeRelaxed(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Module | undefined {
  if (!WebAssembly.validate(bytes)) return undefined;
  const module = new WebAssembly.Module(bytes);
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536, shared: true });
  const { exports } = new WebAssembly.Instance(module, { env: { memory, scratch: 0 } });
  return (exports.probeFused as () => number)() === 0 ? undefined : module;
}

const compiled: { plain?: WebAssembly.Module; relaxed?: WebAssembly.Module | null; general?: WebAssembly.Module } = {};

/** Compiles the modules; with `relaxed`, the build with fused multiply-add where the machine has it. */
export function compileModules(relaxed: boolean): Modules {
  compiled.general ??= new WebAssembly.Module(decodeHex(GENERAL));
  if (relaxed && compiled.relaxed === undefined) compiled.relaxed = probeRelaxed(decodeHex(MATMUL_RELAXED)) ?? null;
  if (relaxed && compiled.relaxed) return { matmul: compiled.relaxed, general: compiled.general, fused: true };
  compiled.plain ??= new WebAssembly.Module(decodeHex(MATMUL));
  return { matmul: compiled.plain, general: compiled.general, fused: false };
}
