import { bitcastTo, castTo, roundTo } from "../convert/storage.js";
import type { Instruction, Operand, Program } from "../plan/plan.js";
import { sizeOf } from "../shape.js";
import { functionOf } from "../primitives/elementwise.js";
import { entryOf } from "../primitives/lookup.js";
import { BINARY, UNARY } from "../primitives/index.js";
import { REDUCTIONS, stepOf } from "../primitives/reduce.js";
import { type Memory, readOperand, writeOperand } from "./views.js";

/**
 * Runs a fused program one instruction at a time over whole arrays: f64 arithmetic, each instruction rounded to
 * its dtype. Reductions accumulate in f64.
 */
export function runProgram(memory: Memory, program: Program, inputs: readonly Operand[], outputs: readonly Operand[]): void {
  const total = sizeOf(program.shape);
  const rowLength = sizeOf(program.shape.slice(program.shape.length - program.reduced));
  const values: Float64Array[] = [];
  for (const instruction of program.instructions) values.push(evaluate(instruction));
  program.outputs.forEach(({ value, perRow }, i) => {
    const all = values[value]!;
    writeOperand(memory, outputs[i]!, perRow ? Float64Array.from({ length: total / rowLength }, (_, row) => all[row * rowLength]!) : all);
  });

  function evaluate(i: Instruction): Float64Array {
    const round = (x: number): number => roundTo(x, i.dtype);
    switch (i.op) {
      case "load":
        return readOperand(memory, inputs[i.input]!);
      case "lookup": {
        const table = readOperand(memory, inputs[i.input]!);
        return values[i.a]!.map((at) => entryOf(table, at));
      }
      case "const":
        return new Float64Array(total).fill(round(i.value));
      case "index": {
        const stride = sizeOf(program.shape.slice(i.axis + 1));
        return Float64Array.from({ length: total }, (_, at) => Math.floor(at / stride) % program.shape[i.axis]!);
      }
      case "where":
        return values[i.b]!.map((b, at) => (values[i.a]![at] !== 0 ? b : values[i.c]![at]!));
      case "reduce": {
        const { start } = REDUCTIONS[i.how];
        const step = stepOf(i.how, i.dtype);
        const x = values[i.a]!;
        const result = new Float64Array(total);
        for (let row = 0; row < total; row += rowLength) {
          let acc = start;
          for (let k = 0; k < rowLength; k++) acc = step(acc, x[row + k]!);
          result.fill(round(acc), row, row + rowLength);
        }
        return result;
      }
      case "cast":
        return values[i.a]!.map((x) => castTo(x, program.instructions[i.a]!.dtype, i.dtype));
      case "bitcast":
        return values[i.a]!.map((x) => bitcastTo(x, program.instructions[i.a]!.dtype, i.dtype));
      default: {
        if ("b" in i) {
          const f = functionOf(BINARY[i.op], program.instructions[i.a]!.dtype);
          const b = values[i.b]!;
          return values[i.a]!.map((a, at) => round(f(a, b[at]!)));
        }
        const { f64 } = UNARY[i.op];
        return values[i.a]!.map((a) => round(f64(a)));
      }
    }
  }
}
