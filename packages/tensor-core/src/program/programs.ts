import { assertDType, type DType } from "../dtype.js";
import type { Instruction, Program } from "../plan/plan.js";
import type { Shape } from "../shape.js";

/** A program that stores its last value. */
function elementwise(shape: Shape, instructions: readonly Instruction[]): Program {
  return { shape, reduced: 0, instructions, outputs: [{ value: instructions.length - 1, perRow: false }] };
}

/** Inputs that `lookup` reads: vectors, whatever the space is. */
export function tablesOf({ instructions }: Program): ReadonlySet<number> {
  return new Set(instructions.flatMap((i) => (i.op === "lookup" ? [i.input] : [])));
}

/** Its input as it is, or converted if the output has another dtype. */
export function copyProgram(shape: Shape, dtype: DType): Program {
  assertDType(dtype);
  return elementwise(shape, [{ op: "load", dtype, input: 0 }]);
}

/** One value everywhere. */
export function fillProgram(shape: Shape, dtype: DType, value: number): Program {
  assertDType(dtype);
  return elementwise(shape, [{ op: "const", dtype, value }]);
}

/** The sum of `count` inputs. */
export function sumProgram(shape: Shape, dtype: DType, count: number): Program {
  assertDType(dtype);
  const loads = Array.from({ length: count }, (_, input): Instruction => ({ op: "load", dtype, input }));
  const adds = loads.slice(1).map((_, i): Instruction => ({ op: "add", dtype, a: i === 0 ? 0 : count + i - 1, b: i + 1 }));
  return elementwise(shape, [...loads, ...adds]);
}

/** The sum of two inputs. */
export function addProgram(shape: Shape, dtype: DType): Program {
  return sumProgram(shape, dtype, 2);
}
