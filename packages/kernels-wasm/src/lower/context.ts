import { bytesPerElement, type DType, type Operand, type Step } from "@weft/tensor-core";
import { argumentBytes, type ArgumentValues, KernelArgs, type KernelName } from "../kernel-args.js";
import type { WasmBuffer, WasmMemory } from "../memory.js";
import type { Pool } from "../threads/pool.js";

export type CompositeStep = Extract<Step, { readonly kind: "composite" }>;

/** One step of a lowered plan; `addresses` holds the byte address of each buffer of the plan. */
export type Run = (addresses: Int32Array) => void;

/** What lowering a plan allocates and calls: everything that `run` needs is prepared here, so that running allocates nothing. */
export class LowerContext {
  readonly memory: WasmMemory;
  readonly pool: Pool;
  /** Products in the GEMM kernels are fused multiply-adds. */
  readonly fusedProducts: boolean;
  private readonly owned: WasmBuffer[] = [];

  constructor(memory: WasmMemory, pool: Pool, fusedProducts: boolean) {
    this.memory = memory;
    this.pool = pool;
    this.fusedProducts = fusedProducts;
  }

  /** Memory that lives as long as the lowered plan. @returns its address */
  allocate(bytes: number): number {
    const buffer = this.memory.allocate(bytes);
    this.owned.push(buffer);
    return buffer.address;
  }

  /** The argument block of a kernel; written once here, patched by `run` only where addresses change. */
  args<K extends KernelName>(kernel: K, values: ArgumentValues<K>): KernelArgs<K> {
    return new KernelArgs(kernel, this.memory, this.allocate(argumentBytes(kernel)), values);
  }

  /** 32-bit words in memory. @returns their address */
  words(values: ArrayLike<number>): number {
    const address = this.allocate(values.length * 4);
    this.memory.words.set(values, address >>> 2);
    return address;
  }

  dispose(): void {
    for (const buffer of this.owned) this.memory.release(buffer);
  }
}

/** Numbers of the formats that GEMM, GEMV and merge kernels read. */
const FORMATS: Partial<Record<DType, number>> = { f32: 0, bf16: 1, f16: 2 };

export function formatCode(dtype: DType): number | undefined {
  return FORMATS[dtype];
}

/** Byte address of an operand's first element. */
export function addressOf(operand: Operand, addresses: Int32Array): number {
  return (addresses[operand.buffer]! + operand.offset * bytesPerElement(operand.dtype)) >>> 0;
}
