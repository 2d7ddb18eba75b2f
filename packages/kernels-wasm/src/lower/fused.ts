import type { Operand, Step } from "@weft/tensor-core";
import { copyProgram, fillProgram, sumProgram } from "@weft/tensor-core/program";
import { emitLoop } from "../encoder/emit.js";
import { interpretLoop } from "../encoder/interpret.js";
import { contiguousOutputs, type Loop, loopArguments, operandWord, planLoop } from "../encoder/loop.js";
import type { FusedKernel } from "../threads/pool.js";
import { addressOf, type LowerContext, type Run } from "./context.js";

/** Instructions times elements below which waking other threads costs more than it gives. */
const SMALL = 1 << 17;

/** A fused program as a kernel that is compiled for it. */
export function lowerFused(step: Step & { readonly kind: "fused" }, context: LowerContext): Run {
  const outputs = contiguousOutputs(
    step.program,
    step.outputs.map((o) => o.dtype),
  );
  return runLoop(planLoop(step.program, step.inputs, outputs), step.inputs, step.outputs, context);
}

/** A copy between views with any strides, converting between dtypes; the two have one shape. */
export function lowerCopy(from: Operand, to: Operand, context: LowerContext): Run {
  return runLoop(planLoop(copyProgram(from.shape, from.dtype), [from], [to]), [from], [to], context);
}

/** The sum of views of one shape and dtype, stored in any dtype. */
export function lowerSum(from: readonly Operand[], to: Operand, context: LowerContext): Run {
  const program = sumProgram(to.shape, from[0]!.dtype, from.length);
  return runLoop(planLoop(program, from, [to]), from, [to], context);
}

/** One value everywhere in a view. */
export function lowerFill(value: number, to: Operand, context: LowerContext): Run {
  return runLoop(planLoop(fillProgram(to.shape, to.dtype, value), [], [to]), [], [to], context);
}

function runLoop(loop: Loop, inputs: readonly Operand[], outputs: readonly Operand[], context: LowerContext): Run {
  if (loop.rows === 0) return () => undefined;
  const { pool, memory } = context;
  const words = loopArguments(loop);
  const args = context.words(words);
  const firstOutput = loop.operands.length - outputs.length;
  const places = [...inputs.map((_, k) => operandWord(loop, k)), ...outputs.map((_, i) => operandWord(loop, firstOutput + i))];
  const operands = [...inputs, ...outputs];
  const elements = loop.rows * (loop.block > 0 ? loop.block : loop.inner * words[2]!);
  const small = elements * loop.program.instructions.length < SMALL;
  const kernel = compiled(loop, context);
  return (addresses) => {
    for (let i = 0; i < operands.length; i++) memory.words[(args >>> 2) + places[i]!] = addressOf(operands[i]!, addresses);
    if (kernel) pool.runFused(kernel, args, loop.rows, small);
    else interpretLoop(loop, memory.memory.buffer, new Int32Array(memory.memory.buffer, args, words.length), 0, loop.rows);
  };
}

/** Undefined where compiling is forbidden (a page's policy) or refused (too large for its main thread): then the interpreter runs it, with the same bits. */
function compiled(loop: Loop, { pool }: LowerContext): FusedKernel | undefined {
  try {
    return pool.compileFused(loop.key, () => emitLoop(loop));
  } catch (error) {
    if (error instanceof WebAssembly.CompileError || error instanceof RangeError) return undefined;
    throw error;
  }
}
