import { type DType, type Instruction, type Operand, type Program, roundTo as roundConstant, sizeOf } from "@weft/tensor-core";
import { instructionExpression } from "../../wgsl/instructions.js";
import type { Shader } from "../../wgsl/shader.js";

/** Operand values of an instruction. */
export function operandsOf(i: Instruction): number[] {
  const { a, b, c } = i as { a?: number; b?: number; c?: number };
  return [a, b, c].filter((v) => v !== undefined);
}

/** The values that `targets` need, themselves included, in order; `stop` values are not looked into. */
export function closure(program: Program, targets: readonly number[], stop: (value: number) => boolean = () => false): number[] {
  const needed = new Set<number>();
  const stack = [...targets];
  while (stack.length > 0) {
    const value = stack.pop()!;
    if (needed.has(value)) continue;
    needed.add(value);
    if (!stop(value)) stack.push(...operandsOf(program.instructions[value]!));
  }
  return [...needed].sort((a, b) => a - b);
}

/** What a row program needs to know of each value. */
export interface RowAnalysis {
  /** One value per row: it may be computed outside the loops over the row. */
  readonly scalar: readonly boolean[];
  /** Number of reductions on the longest way to it. */
  readonly level: readonly number[];
}

export function analyseRows(program: Program, inputs: readonly Operand[]): RowAnalysis {
  const lead = program.shape.length - program.reduced;
  const scalar: boolean[] = [];
  const level: number[] = [];
  for (const i of program.instructions) {
    const needs = operandsOf(i);
    const below = needs.reduce((most, v) => Math.max(most, level[v]!), 0);
    level.push(i.op === "reduce" ? below + 1 : below);
    if (i.op === "load") scalar.push(inputs[i.input]!.strides.every((s, axis) => axis < lead || s === 0 || program.shape[axis] === 1));
    else if (i.op === "index") scalar.push(i.axis < lead || program.shape[i.axis] === 1);
    else scalar.push(i.op === "reduce" || needs.every((v) => scalar[v]!));
  }
  return { scalar, level };
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
      if (i.op === "const") return `let v${v} = ${shader.constant(roundConstant(i.value, i.dtype), i.dtype)};`;
      return `let v${v} = ${instructionExpression(i, dtypeOf, name)};`;
    })
    .join("\n");
}

/** Name of a program in `explain`. */
export function programName(kind: string, program: Program): string {
  const ops = program.instructions.filter((i) => !["load", "const", "index"].includes(i.op)).map((i) => (i.op === "reduce" ? i.how : i.op));
  return `${kind}(${ops.join(" ") || "copy"})`;
}

/** Rows of a program and their length. */
export function rowsOf({ shape, reduced }: Program): { rows: number; length: number } {
  return { rows: sizeOf(shape.slice(0, shape.length - reduced)), length: sizeOf(shape.slice(shape.length - reduced)) };
}
