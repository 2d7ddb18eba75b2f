import { type ArenaLayout, bytesPerElement, contiguousStrides, type DType, type Operand, sizeOf, type Step } from "@weft/tensor-core";
import type { Arithmetic } from "../arithmetic.js";
import { argumentBytes, type ArgumentValues, KernelArgs, type KernelName } from "../kernel-args.js";
import type { WasmBuffer, WasmMemory } from "../memory.js";
import type { Pool } from "../threads/pool.js";

export type CompositeStep = Extract<Step, { readonly kind: "composite" }>;

/** One step of a lowered plan; `addresses` holds the byte address of each buffer of the plan and, behind them, of the temporaries. */
export type Run = (addresses: Int32Array) => void;

/** Bytes of memory that argument blocks are cut from. */
const SLAB_BYTES = 64 << 10;
/** Argument blocks begin at multiples of this. */
const BLOCK_ALIGNMENT = 16;

/** What lowering a plan allocates and calls: everything that `run` needs is prepared here, so that running allocates nothing. */
export class LowerContext {
  readonly memory: WasmMemory;
  readonly pool: Pool;
  readonly arithmetic: Arithmetic;
  /** Offset in the arena of each temporary; their buffer ids follow those of the plan. */
  readonly temporaries: number[] = [];
  private readonly layout: ArenaLayout;
  private readonly firstTemporary: number;
  private readonly slabs: WasmBuffer[] = [];
  private top = 0;

  /**
   * @param layout the arena of the plan
   * @param buffers number of buffers of the plan
   */
  constructor(memory: WasmMemory, pool: Pool, arithmetic: Arithmetic, layout: ArenaLayout, buffers: number) {
    this.memory = memory;
    this.pool = pool;
    this.arithmetic = arithmetic;
    this.layout = layout;
    this.firstTemporary = buffers;
  }

  /** A contiguous intermediate result. It lives until the step is done, or the `scoped` part of it in which it was made. */
  temporary(shape: readonly number[], dtype: DType): Operand {
    const offset = this.layout.take(sizeOf(shape) * bytesPerElement(dtype));
    const buffer = this.firstTemporary + this.temporaries.push(offset) - 1;
    return { buffer, dtype, shape, strides: contiguousStrides(shape), offset: 0 };
  }

  /** Lowers a part of a step that is over before its next part runs: their temporaries lie in the same places. */
  scoped<T>(lower: () => T): T {
    return this.layout.scoped(lower);
  }

  /** The argument block of a kernel, which lives as long as the lowered plan; written once here, patched by `run` only where addresses change. */
  args<K extends KernelName>(kernel: K, values: ArgumentValues<K>): KernelArgs<K> {
    return new KernelArgs(kernel, this.memory, this.take(argumentBytes(kernel)), values);
  }

  /** 32-bit words in memory, which live as long as the lowered plan. @returns their address */
  words(values: ArrayLike<number>): number {
    const address = this.take(values.length * 4);
    this.memory.words.set(values, address >>> 2);
    return address;
  }

  /** Bytes that the lowered plan holds besides its share of the arena. */
  get bytes(): number {
    return this.slabs.reduce((sum, slab) => sum + slab.bytes, 0);
  }

  /** Gives back what no argument block needs; nothing is lowered afterwards. */
  seal(): void {
    const last = this.slabs[this.slabs.length - 1];
    if (last) this.memory.shrink(last, this.top - last.address);
  }

  dispose(): void {
    for (const slab of this.slabs) this.memory.release(slab);
  }

  private take(bytes: number): number {
    const last = this.slabs[this.slabs.length - 1];
    if (!last || this.top + bytes > last.address + last.bytes) {
      this.seal();
      const slab = this.memory.allocate(Math.max(bytes, SLAB_BYTES));
      this.slabs.push(slab);
      this.top = slab.address;
    }
    const at = this.top;
    this.top = Math.ceil((at + bytes) / BLOCK_ALIGNMENT) * BLOCK_ALIGNMENT;
    return at;
  }
}

/** Numbers of the formats that GEMM, GEMV and merge kernels read. */
const FORMATS: Partial<Record<DType, number>> = { f32: 0, bf16: 1, f16: 2 };

export function formatCode(dtype: DType): number | undefined {
  return FORMATS[dtype];
}

/** Sets the addresses of operands, under the names of the arguments. */
export function place<N extends string>(
  args: { set(name: NoInfer<N>, value: number): void },
  operands: Readonly<Record<N, Operand>>,
  addresses: Int32Array,
): void {
  for (const name in operands) args.set(name, addressOf(operands[name], addresses));
}

/** Byte address of an operand's first element. */
export function addressOf(operand: Operand, addresses: Int32Array): number {
  return (addresses[operand.buffer]! + operand.offset * bytesPerElement(operand.dtype)) >>> 0;
}
