import type { Operand, Program } from "@weft/tensor-core";
import { contiguousOutputs, type Loop, loopArguments, planLoop } from "../../encoder/loop.js";
import { emitLine, emitRows, planDot } from "../../encoder/packed/index.js";
import { addressOf, type LowerContext, type Run } from "../../lower/context.js";
import { boundArguments, compiled, type FusedStep } from "../../lower/fused.js";
import { type Decoder, isSmallProduct } from "../product/lower-product.js";

const matrixLoop = (program: Program, inputs: readonly Operand[]): Loop =>
  planLoop(program, inputs, contiguousOutputs(program, ["f32"]), true);

/**
 * What decodes parts of rows of a packed matrix; undefined where nothing may be compiled.
 * @param program elementwise over a matrix
 */
export function lowerDecoder(program: Program, inputs: readonly Operand[], context: LowerContext): Decoder | undefined {
  const loop = matrixLoop(program, inputs);
  const kernel = compiled(`line ${loop.key}`, () => emitLine(loop, context.arithmetic.fused), context);
  return kernel && { kernel, ...boundArguments(loop, inputs, [], context) };
}

/** A packed matrix as all of its values, f32 and contiguous, as many at once as its code has; undefined where nothing may be compiled. */
export function lowerValues({ program, inputs, outputs }: FusedStep, context: LowerContext): Run | undefined {
  const loop = matrixLoop(program, inputs);
  const kernel = compiled(`rows ${loop.key}`, () => emitRows(loop, context.arithmetic.fused), context);
  if (!kernel) return undefined;
  const { args, bind } = boundArguments(loop, inputs, outputs, context);
  const [rows, columns] = program.shape as [number, number];
  const small = isSmallProduct(rows * columns);
  return (addresses) => {
    bind(addresses);
    context.pool.runFused(kernel, args, rows, small);
  };
}

/** y = x·Wᵀ for few lines of x, decoded in registers; x and y are f32 and contiguous. Undefined where that does not pay, or nothing may be compiled. */
export function lowerDot(
  program: Program,
  inputs: readonly Operand[],
  lines: number,
  context: LowerContext,
): ((x: Operand, y: Operand) => Run) | undefined {
  const [rows, columns] = program.shape as [number, number];
  const plan = planDot(matrixLoop(program, inputs), inputs, lines, context.arithmetic);
  const kernel = plan && compiled(plan.key, () => plan.emit(), context);
  if (!kernel) return undefined;
  const { loop, rowsOfItem } = plan;
  const { args, bind } = boundArguments(loop, inputs, [], context, [0, columns * 4, 0, rows * 4, columns, rows]);
  const wordOfX = (args >>> 2) + loopArguments(loop).length;
  const [items, small] = [Math.ceil(rows / rowsOfItem), isSmallProduct(lines * rows * columns)];
  return (x, y) => (addresses) => {
    bind(addresses);
    context.memory.words[wordOfX] = addressOf(x, addresses);
    context.memory.words[wordOfX + 2] = addressOf(y, addresses);
    context.pool.runFused(kernel, args, items, small);
  };
}
