import type { Operand, Program, Step } from "@weft/tensor-core";
import { copyProgram, fillProgram, sumProgram } from "@weft/tensor-core/program";
import { emitLoop } from "../encoder/emit.js";
import { contiguousOutputs, type Loop, loopArguments, planLoop } from "../encoder/loop.js";
import { operandWord } from "../encoder/operand-words.js";
import type { FusedKernel } from "../threads/pool.js";
import { addressOf, type LowerContext, type Run } from "./context.js";

/** Instructions times elements below which waking other threads costs more than it gives. */
const SMALL = 1 << 17;

/** What runs loops where nothing may be compiled for them, which is next to nowhere. */
let interpreter: typeof import("../encoder/interpret.js") | undefined;
let loading: Promise<unknown> | undefined;

/** Settled when what was lowered can run; undefined if it can. */
export const interpreterLoading = (): Promise<unknown> | undefined => (interpreter ? undefined : loading);

/** What of a fused step its kernel depends on. */
export type FusedStep = Pick<Step & { readonly kind: "fused" }, "program" | "inputs" | "outputs">;

/** By program and how operands lie: a plan of many layers has few loops. */
const loops = new WeakMap<Program, Map<string, Loop>>();

function loopOf({ program, inputs, outputs }: FusedStep): Loop {
  const known = loops.get(program) ?? new Map<string, Loop>();
  loops.set(program, known);
  const dtypes = outputs.map((o) => o.dtype);
  const key = JSON.stringify([inputs.map(({ dtype, shape, strides }) => [dtype, shape, strides]), dtypes]);
  const loop = known.get(key) ?? planLoop(program, inputs, contiguousOutputs(program, dtypes));
  known.set(key, loop);
  return loop;
}

/** A fused program as a kernel that is compiled for it. */
export const lowerFused = (step: FusedStep, context: LowerContext): Run => runLoop(loopOf(step), step.inputs, step.outputs, context);

/** A program of one output with any strides. */
const lowerProgram = (program: Program, from: readonly Operand[], to: Operand, context: LowerContext): Run =>
  runLoop(planLoop(program, from, [to]), from, [to], context);

/** A copy between views with any strides, converting between dtypes; the two have one shape. */
export const lowerCopy = (from: Operand, to: Operand, context: LowerContext): Run =>
  lowerProgram(copyProgram(from.shape, from.dtype), [from], to, context);

/** The sum of views of one shape and dtype, stored in any dtype. */
export const lowerSum = (from: readonly Operand[], to: Operand, context: LowerContext): Run =>
  lowerProgram(sumProgram(to.shape, from[0]!.dtype, from.length), from, to, context);

/** One value everywhere in a view. */
export const lowerFill = (value: number, to: Operand, context: LowerContext): Run =>
  lowerProgram(fillProgram(to.shape, to.dtype, value), [], to, context);

/**
 * The argument block of a loop, and how it is told where its operands lie.
 * @param more words behind those of the loop
 */
export function boundArguments(
  loop: Loop,
  inputs: readonly Operand[],
  outputs: readonly Operand[],
  context: LowerContext,
  more: readonly number[] = [],
): { readonly args: number; readonly words: Int32Array; readonly bind: Run } {
  const words = loopArguments(loop);
  const args = context.words([...words, ...more]);
  const firstOutput = loop.operands.length - outputs.length;
  const operands = [...inputs, ...outputs];
  const places = operands.map((_, k) => operandWord(loop, k < inputs.length ? k : k - inputs.length + firstOutput));
  return {
    args,
    words,
    bind(addresses) {
      for (let i = 0; i < operands.length; i++) context.memory.words[(args >>> 2) + places[i]!] = addressOf(operands[i]!, addresses);
    },
  };
}

function runLoop(loop: Loop, inputs: readonly Operand[], outputs: readonly Operand[], context: LowerContext): Run {
  if (loop.rows === 0) return () => undefined;
  const { pool, memory } = context;
  const { args, words, bind } = boundArguments(loop, inputs, outputs, context);
  const elements = loop.rows * (loop.block > 0 ? loop.block : loop.inner * words[2]!);
  const small = elements * loop.program.instructions.length < SMALL;
  // The interpreter gives the same bits.
  const kernel = compiled(loop.key, () => emitLoop(loop), context);
  if (!kernel) loading ??= import("../encoder/interpret.js").then((loaded) => (interpreter = loaded));
  return (addresses) => {
    bind(addresses);
    if (kernel) pool.runFused(kernel, args, loop.rows, small);
    else interpreter!.interpretLoop(loop, memory.memory.buffer, new Int32Array(memory.memory.buffer, args, words.length), 0, loop.rows);
  };
}

/** Undefined where compiling is forbidden (a page's policy) or refused (too large for its main thread): then another way has to be taken. */
export function compiled(key: string, emit: () => Uint8Array<ArrayBuffer>, { pool }: LowerContext): FusedKernel | undefined {
  try {
    return pool.compileFused(key, emit);
  } catch (error) {
    if (error instanceof WebAssembly.CompileError || error instanceof RangeError) return undefined;
    throw error;
  }
}
