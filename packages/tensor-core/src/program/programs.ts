import type { DType } from "../dtype.js";
import type { Instruction, Program } from "../plan/plan.js";
import type { Shape } from "../shape.js";

/** A program that stores its last value. */
function elementwise(shape: Shape, instructions: readonly Instruction[]): Program {
  return { shape, reduced: 0, instructions, outputs: [{ value: instructions.length - 1, perRow: false }] };
}

/** Its input as it is, or converted if the output has another dtype. */
export function copyProgram(shape: Shape, dtype: DType): Program {
  return elementwise(shape, [{ op: "load", dtype, input: 0 }]);
}

/** One value everywhere. */
export function fillProgram(shape: Shape, dtype: DType, value: number): Program {
  return elementwise(shape, [{ op: "const", dtype, value }]);
}

/** The sum of two inputs. */
export function addProgram(shape: Shape, dtype: DType): Program {
  return elementwise(shape, [
    { op: "load", dtype, input: 0 },
    { op: "load", dtype, input: 1 },
    { op: "add", dtype, a: 0, b: 1 },
  ]);
}
