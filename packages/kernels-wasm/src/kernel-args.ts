import { ARGUMENTS } from "./generated/arguments.js";
import type { WasmMemory } from "./memory.js";

export type KernelName = keyof typeof ARGUMENTS;
/** The arguments of a kernel: the fields of the class that it takes. */
export type ArgumentName<K extends KernelName> = keyof (typeof ARGUMENTS)[K];
export type ArgumentValues<K extends KernelName> = { readonly [name in ArgumentName<K>]: number };

/** Kernels by number, in the order that workers know them. */
export const KERNELS: readonly KernelName[] = Object.keys(ARGUMENTS) as KernelName[];

/** By kernel, which word of its block each argument is. */
const LAYOUTS = new Map(
  KERNELS.map((kernel) => [
    kernel,
    new Map(Object.entries(ARGUMENTS[kernel]).map(([name, type], at) => [name, { at, float: (type as number) === 1 }])),
  ]),
);

/** Bytes of a kernel's argument block. */
export const argumentBytes = (kernel: KernelName): number => LAYOUTS.get(kernel)!.size * 4;

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
    this.layout = LAYOUTS.get(kernel)!;
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
