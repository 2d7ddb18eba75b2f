import { type DType, type Operand, type Program, roundTo as roundConstant } from "@weft/tensor-core";
import { analyse, type Analysis } from "@weft/tensor-core/program";
import { instructionExpression } from "../../wgsl/instructions.js";
import type { Shader } from "../../wgsl/shader.js";
import { strided, sumOf } from "./space.js";

/** The program's sweeps over its rows, with operands that lie so; values are computed again rather than kept. */
export function analyseRows(program: Program, inputs: readonly Operand[]): Analysis {
  const lead = program.shape.length - program.reduced;
  const still = (axis: number): boolean => axis < lead || program.shape[axis] === 1;
  return analyse(
    program,
    (i) => (i.op === "load" ? inputs[i.input]!.strides.every((s, axis) => s === 0 || still(axis)) : i.op === "index" && still(i.axis)),
    false,
  );
}

/** Strides in the program's space of everything in `values` that depends on the position: loads, and indices as views with one unit stride. */
export function viewsOf(program: Program, inputs: readonly Operand[], values: readonly number[]): Map<number, readonly number[]> {
  const views = new Map<number, readonly number[]>();
  for (const value of values) {
    const i = program.instructions[value]!;
    if (i.op === "load") views.set(value, inputs[i.input]!.strides);
    else if (i.op === "index")
      views.set(
        value,
        program.shape.map((d, axis) => (axis === i.axis && d > 1 ? 1 : 0)),
      );
  }
  return views;
}

/** One `let` per value, in order. `position` gives WGSL for the element (loads) or coordinate (indices) of a value. */
export function letValues(
  shader: Shader,
  program: Program,
  inputs: readonly Operand[],
  values: readonly number[],
  position: (value: number) => string,
): string {
  const name = (v: number): string => `v${v}`;
  const dtypeOf = (v: number): DType => program.instructions[v]!.dtype;
  return values
    .map((v) => {
      const i = program.instructions[v]!;
      if (i.op === "load") return `let v${v} = ${shader.input(inputs[i.input]!).load(position(v))};`;
      if (i.op === "index") return `let v${v} = i32(${position(v)});`;
      if (i.op === "lookup") return `let v${v} = ${shader.input(inputs[i.input]!).load(element(shader, inputs[i.input]!, `v${i.a}`))};`;
      if (i.op === "const") return `let v${v} = ${shader.constant(roundConstant(i.value, i.dtype), i.dtype)};`;
      if (i.op === "reduce") throw new TypeError("reductions are written by the kernel");
      return `let v${v} = ${instructionExpression(i, dtypeOf, name)};`;
    })
    .join("\n");
}

/** WGSL for the place in its buffer of the element of a table with the number `i`. */
function element(shader: Shader, { offset, strides }: Operand, i: string): string {
  return sumOf(shader.u32(offset), strided(shader, [`u32(${i})`], strides));
}

/** Name of a program in `explain`. */
export function programName(kind: string, program: Program): string {
  const ops = program.instructions.filter((i) => !["load", "const", "index"].includes(i.op)).map((i) => (i.op === "reduce" ? i.how : i.op));
  return `${kind}(${ops.join(" ") || "copy"})`;
}
