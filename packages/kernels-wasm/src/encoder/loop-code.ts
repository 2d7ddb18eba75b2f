import { bytesPerElement, type Instruction } from "@weft/tensor-core";
import type { Loop } from "./loop.js";
import { indexAxes, operandWord } from "./operand-words.js";
import { I32, type Local, type WasmLanes } from "./wasm-lanes.js";

/** Opcodes of i32 arithmetic and comparisons. */
export const ADD = 0x6a;
export const SUB = 0x6b;
export const MUL = 0x6c;
const DIV = 0x6d;
export const DIV_UNSIGNED = 0x6e;
const REM = 0x6f;
export const REM_UNSIGNED = 0x70;
export const AND = 0x71;
export const LESS = 0x48;
export const NOT_LESS = 0x4e;
export const SELECT = 0x1b;

/** Parameter 0 of all code: the address of the argument block. */
const ARGS = 0;

/** What code of every loop is written with: words of the argument block, i32 variables, loops, and where operands lie. */
export class LoopCode {
  readonly w: WasmLanes;
  readonly loop: Loop;
  /** Operands that are read; those behind them are stored. */
  readonly read: number;
  /** From one element along the innermost axis to the next, in bytes; of a table, from one entry to the next. */
  readonly stride: readonly Local[];
  private readonly inputs: number;
  private readonly rest: Local;
  private readonly at: Local;

  constructor(w: WasmLanes, loop: Loop) {
    this.w = w;
    this.loop = loop;
    this.read = loop.operands.length - loop.program.outputs.length;
    this.inputs = this.read - indexAxes(loop.program).length;
    [this.rest, this.at] = [this.i32(), this.i32()];
    this.stride = loop.operands.map(() => this.i32());
  }

  /** Sets `stride`; before all else. */
  begin(): void {
    const { rowSizes, sweepSizes, operands } = this.loop;
    operands.forEach((_, k) => {
      this.word(operandWord(this.loop, k) + 1 + rowSizes.length + sweepSizes.length);
      this.w.set(this.stride[k]!);
    });
  }

  i32(): Local {
    return this.w.local(I32);
  }

  op(code: number): this {
    this.w.code.raw(code);
    return this;
  }

  /** A word of the argument block. */
  word(index: number): this {
    this.w
      .get(ARGS)
      .code.raw(0x28, 2)
      .unsigned(index * 4);
    return this;
  }

  addTo(local: Local, make: () => void): void {
    this.w.get(local);
    make();
    this.op(ADD).w.set(local);
  }

  /** Until `leaveIf` leaves it. */
  repeat(body: () => void): void {
    this.w.code.raw(0x02, 0x40, 0x03, 0x40);
    body();
    this.w.code.raw(0x0c, 0, 0x0b, 0x0b);
  }

  /** If the number on the stack is not 0. */
  when(body: () => void): void {
    this.w.code.raw(0x04, 0x40);
    body();
    this.op(0x0b);
  }

  leaveIf(code: number): void {
    this.w.code.raw(code, 0x0d, 1);
  }

  /** The operand that a `load` or `index` reads. */
  operandOf(i: Instruction): number {
    return i.op === "load" ? i.input : this.inputs + indexAxes(this.loop.program).indexOf((i as { readonly axis: number }).axis);
  }

  /** What a counter, or an address, goes up by from element to element where they are neighbours. */
  unit(k: number): number {
    return this.isCounter(k) ? 1 : bytesPerElement(this.loop.operands[k]!.dtype);
  }

  /** Its "address" is an index. */
  isCounter(k: number): boolean {
    return k >= this.inputs && k < this.read;
  }

  /** Moves pointers ahead by so many elements along the innermost axis. */
  advance(pointers: readonly Local[], used: readonly number[], elements: number): void {
    for (const k of used) {
      const { inner } = this.loop.operands[k]!;
      if (inner === "contiguous") this.addTo(pointers[k]!, () => void this.w.i32Const(elements * this.unit(k)));
      else if (inner === "strided") {
        this.addTo(pointers[k]!, () => {
          this.w.get(this.stride[k]!).i32Const(elements);
          this.op(MUL);
        });
      }
    }
  }

  /** Sets pointers to where operands begin. */
  toBeginning(pointers: readonly Local[], used: readonly number[]): void {
    for (const k of used) this.word(operandWord(this.loop, k)).w.set(pointers[k]!);
  }

  /**
   * Splits the number on the stack along axes and adds each index times the operands' strides to their pointers.
   * @param first is called with the index along the first axis
   */
  addOffsets(
    sizes: readonly number[],
    sizeWord: number,
    strideWord: (k: number) => number,
    pointers: readonly Local[],
    used: readonly number[],
    first?: (at: Local) => void,
  ): void {
    const { w, rest, at } = this;
    w.set(rest);
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      w.get(rest);
      if (axis > 0) {
        this.word(sizeWord + axis).op(REM);
        w.set(at);
        w.get(rest);
        this.word(sizeWord + axis).op(DIV);
        w.set(rest);
      } else w.set(at);
      for (const k of used) {
        this.addTo(pointers[k]!, () => {
          w.get(at);
          this.word(strideWord(k) + axis).op(MUL);
        });
      }
      if (axis === 0) first?.(at);
    }
  }
}
