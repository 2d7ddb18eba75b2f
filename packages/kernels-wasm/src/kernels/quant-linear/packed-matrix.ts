import type { Operand, Program } from "@weft/tensor-core";
import type { Arithmetic } from "../../arithmetic.js";
import { contiguousOutputs, type Loop, loopArguments, planLoop } from "../../encoder/loop.js";
import { MOST_LINES, ROWS_OF_ITEM } from "../../encoder/packed/dot-arguments.js";
import { addressOf, type LowerContext, type Run } from "../../lower/context.js";
import { boundArguments, compiled } from "../../lower/fused.js";
import type { FusedKernel } from "../../threads/pool.js";
import { type Decoder, isSmallProduct } from "../product/lower-product.js";

/** What writes code for packed matrices. */
interface Writers {
  emitLine(loop: Loop, relaxed: boolean): Uint8Array<ArrayBuffer>;
  emitDot(loop: Loop, lines: number, arithmetic: Arithmetic): Uint8Array<ArrayBuffer>;
  mostLines(loop: Loop, columns: number, arithmetic: Arithmetic): number;
}

/** Most programs have no packed weights. */
let writers: Writers | undefined;

async function load(): Promise<void> {
  const { emitDot, emitLine, mostLines } = await import("../../encoder/packed/index.js");
  writers = { emitDot, emitLine, mostLines };
}

/** Loads what writes code for packed matrices; undefined if it is there. */
export const loadWriters = (): Promise<void> | undefined => (writers ? undefined : load());

/** Stands for a kernel while it is only found out what a plan takes. */
const NEVER_RUN: FusedKernel = {
  place: 0,
  id: 0,
  code: { address: 0, length: 0 },
  run() {
    throw new TypeError();
  },
};

const matrixLoop = (program: Program, inputs: readonly Operand[]): Loop =>
  planLoop(program, inputs, contiguousOutputs(program, ["f32"]), true);

/**
 * What decodes parts of rows of a packed matrix; undefined where nothing may be compiled.
 * @param program elementwise over a matrix
 */
export function lowerDecoder(program: Program, inputs: readonly Operand[], context: LowerContext): Decoder | undefined {
  const loop = matrixLoop(program, inputs);
  const emit = writers?.emitLine;
  const kernel = emit ? compiled(`line ${loop.key}`, () => emit(loop, context.arithmetic.fused), context) : NEVER_RUN;
  return kernel && { kernel, ...boundArguments(loop, inputs, [], context) };
}

/** y = x·Wᵀ for few lines of x, decoded in registers; x and y are f32 and contiguous. Undefined where that does not pay, or nothing may be compiled. */
export function lowerDot(
  program: Program,
  inputs: readonly Operand[],
  lines: number,
  context: LowerContext,
): ((x: Operand, y: Operand) => Run) | undefined {
  const [rows, columns] = program.shape as [number, number];
  const { arithmetic } = context;
  const loop = matrixLoop(program, inputs);
  if (lines > (writers?.mostLines(loop, columns, arithmetic) ?? MOST_LINES)) return undefined;
  const emit = writers?.emitDot;
  const key = `dot ${lines} ${arithmetic.activations} ${loop.key}`;
  const kernel = emit ? compiled(key, () => emit(loop, lines, arithmetic), context) : NEVER_RUN;
  if (!kernel) return undefined;
  const { args, bind } = boundArguments(loop, inputs, [], context, [0, columns * 4, 0, rows * 4, columns, rows]);
  const wordOfX = (args >>> 2) + loopArguments(loop).length;
  const [items, small] = [Math.ceil(rows / ROWS_OF_ITEM), isSmallProduct(lines * rows * columns)];
  return (x, y) => (addresses) => {
    bind(addresses);
    context.memory.words[wordOfX] = addressOf(x, addresses);
    context.memory.words[wordOfX + 2] = addressOf(y, addresses);
    context.pool.runFused(kernel, args, items, small);
  };
}
