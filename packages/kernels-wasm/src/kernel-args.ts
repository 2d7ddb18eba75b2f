import type { kernels as further } from "./generated/further.js";
import type { kernels as merge } from "./generated/merge.js";
import type { kernels as model } from "./generated/model.js";
import { code, kernels as products } from "./generated/products.js";
import type { kernels as recurrent } from "./generated/recurrent.js";
import type { kernels as training } from "./generated/training.js";
import type { WasmMemory } from "./memory.js";

type Kernels = typeof further & typeof merge & typeof model & typeof products & typeof recurrent & typeof training;

export type KernelName = keyof Kernels;
/** The arguments of a kernel: the fields of the class that it takes. */
export type ArgumentName<K extends KernelName> = keyof Kernels[K];
export type ArgumentValues<K extends KernelName> = { readonly [name in ArgumentName<K>]: number };

/** One WebAssembly module. */
export interface KernelModule {
  /** Its bytes, see byte-text.ts. */
  readonly code: string;
  /** Its kernels in the order of its exports, with their arguments: 0 is an integer, 1 an f32. */
  readonly kernels: { readonly [kernel: string]: { readonly [argument: string]: number } };
}

/** The products of matrices, which are always there. */
export const PRODUCTS: KernelModule = { code, kernels: products };

/** Where a kernel is, and which word of its block each argument is. */
interface KnownKernel {
  readonly module: KernelModule;
  readonly layout: ReadonlyMap<string, { readonly at: number; readonly float: boolean }>;
}

const entries = (module: KernelModule): [string, KnownKernel][] =>
  Object.entries(module.kernels).map(([kernel, names]) => [
    kernel,
    { module, layout: new Map(Object.entries(names).map(([name, type], at) => [name, { at, float: type === 1 }])) },
  ]);

/** The kernels that were loaded. */
const known = new Map(entries(PRODUCTS));

/** Makes the kernels of a further module known. */
export function addKernels(module: KernelModule): void {
  for (const [kernel, one] of entries(module)) known.set(kernel, one);
}

/** The module that a kernel is of. */
export const moduleOf = (kernel: KernelName): KernelModule => known.get(kernel)!.module;

/** Bytes of a kernel's argument block. */
export const argumentBytes = (kernel: KernelName): number => known.get(kernel)!.layout.size * 4;

/** A kernel's arguments in memory, written and read by name. */
export class KernelArgs<K extends KernelName = KernelName> {
  readonly kernel: K;
  readonly address: number;
  private readonly memory: WasmMemory;
  private readonly layout: ReadonlyMap<string, { readonly at: number; readonly float: boolean }>;

  /** @param address of `argumentBytes(kernel)` bytes */
  constructor(kernel: K, memory: WasmMemory, address: number, values: ArgumentValues<K>) {
    this.kernel = kernel;
    this.memory = memory;
    this.address = address;
    this.layout = known.get(kernel)!.layout;
    this.assign(values);
  }

  assign(values: ArgumentValues<K>): void {
    for (const name of this.layout.keys()) this.set(name as ArgumentName<K>, values[name as ArgumentName<K>]);
  }

  // Shared memory only ever grows, and growing makes a new buffer object; views are cheap and never go stale within a call.
  set(name: ArgumentName<K>, value: number): void {
    const { floats, words } = this.memory;
    const { at, float } = this.layout.get(name as string)!;
    (float ? floats : words)[(this.address >>> 2) + at] = value;
  }

  /** A word that the kernel has written. */
  get(name: ArgumentName<K>): number {
    return this.memory.words[(this.address >>> 2) + this.layout.get(name as string)!.at]!;
  }
}
