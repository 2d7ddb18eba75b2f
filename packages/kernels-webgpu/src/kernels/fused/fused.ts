import { type DType, type Instruction, isFloat, type Operand, type Program } from "@weft/tensor-core";
import { closure, copyProgram, rowsOf, withOperands } from "@weft/tensor-core/program";
import { sameGrid } from "../../wgsl/map.js";
import { elementwise } from "../elementwise/elementwise.wgsl.js";
import type { Dispatch, LowerContext } from "../kernel.js";
import { rowReduce, type Segments } from "../row-reduce/row-reduce.wgsl.js";
import { analyseRows } from "./analysis.js";

/** A row of this length or more, in a program with few rows, is reduced by many workgroups in two passes. */
const LONG_ROW = 65536;
/** Workgroups that keep a large GPU busy. */
const ENOUGH_GROUPS = 512;

/** A fused step: outputs that fit into one dispatch together are computed together. */
export function lowerFused(program: Program, inputs: readonly Operand[], outputs: readonly Operand[], context: LowerContext): Dispatch[] {
  if (outputs.every((o) => o.shape.some((d) => d === 0))) return [];
  const groups = splitOutputs(program, inputs, outputs, context);
  if (groups.length === 1) return single(program, inputs, outputs, context);
  // An output that takes the place of an input must not be written before the other groups have read that.
  const key = (o: Operand): string => context.binding(o.buffer).key;
  const dispatches: Dispatch[] = [];
  const copies: Dispatch[] = [];
  groups.forEach((group, at) => {
    const later = new Set(groups.slice(at + 1).flatMap((g) => loadsOf(program, g).map((i) => key(inputs[i]!))));
    const targets = group.map((k) => {
      const output = outputs[k]!;
      if (!later.has(key(output))) return output;
      const aside = context.temporary(output.shape, output.dtype);
      copies.push(elementwise(copyProgram(output.shape, output.dtype), [aside], [output], context));
      return aside;
    });
    dispatches.push(...single({ ...program, outputs: group.map((k) => program.outputs[k]!) }, inputs, targets, context));
  });
  return [...dispatches, ...copies];
}

function single(program: Program, inputs: readonly Operand[], outputs: readonly Operand[], context: LowerContext): Dispatch[] {
  if (program.reduced === 0) return [elementwise(program, inputs, outputs, context)];
  const { rows, length } = rowsOf(program);
  const { scalar, level } = analyseRows(program, inputs);
  const shallow = program.outputs.every((o) => o.perRow && scalar[o.value] && level[o.value] === 1);
  if (!shallow || length < LONG_ROW || rows >= ENOUGH_GROUPS) return [rowReduce(program, inputs, outputs, context)];
  const count = Math.min(Math.ceil(ENOUGH_GROUPS / rows), Math.ceil(length / 4096));
  return twoPasses(program, inputs, outputs, { count, length: Math.ceil(length / count) }, context);
}

function loadsOf(program: Program, outputs: readonly number[]): number[] {
  const values = closure(
    program,
    outputs.map((k) => program.outputs[k]!.value),
  );
  return [
    ...new Set(
      values.flatMap((v) => {
        const i = program.instructions[v]!;
        return i.op === "load" || i.op === "lookup" ? [i.input] : [];
      }),
    ),
  ];
}

/** Groups of outputs whose buffers, with those of their inputs, one dispatch can bind, and whose words lie on one grid. */
function splitOutputs(program: Program, inputs: readonly Operand[], outputs: readonly Operand[], context: LowerContext): number[][] {
  const key = ({ buffer, dtype }: Operand): string => `${context.binding(buffer).key} ${dtype}`;
  /** @param aside whether an output in the place of an input may have to lie elsewhere until other groups have read that */
  const fits = (group: readonly number[], aside: boolean): boolean => {
    const targets = group.map((k) => outputs[k]!);
    const read = new Set(loadsOf(program, group).map((i) => key(inputs[i]!)));
    const written = new Set(targets.map(key));
    const buffers = aside ? read.size + written.size : new Set([...read, ...written]).size;
    return buffers <= context.limits.maxStorageBuffers && (program.reduced > 0 || sameGrid(targets));
  };
  const all = outputs.map((_, k) => k);
  if (fits(all, false)) return [all];
  const groups: number[][] = [];
  for (const k of all) {
    const last = groups.at(-1);
    if (last && fits([...last, k], true)) last.push(k);
    else groups.push([k]);
  }
  return groups;
}

/** Partial reductions of pieces of the rows, then everything else over the partial results. */
function twoPasses(
  program: Program,
  inputs: readonly Operand[],
  outputs: readonly Operand[],
  segments: Segments,
  context: LowerContext,
): Dispatch[] {
  const lead = program.shape.slice(0, program.shape.length - program.reduced);
  const live = closure(
    program,
    program.outputs.map((o) => o.value),
  );
  const reduces = live.filter((v) => program.instructions[v]!.op === "reduce");
  const shape = [...lead, segments.count];
  const wide = (dtype: DType): DType => (isFloat(dtype) ? "f32" : "i32");
  const partials = reduces.map((v) => context.temporary(shape, wide(program.instructions[v]!.dtype)));
  // The partial results stay unrounded.
  const unrounded = program.instructions.map((i): Instruction => (i.op === "reduce" ? { ...i, dtype: wide(i.dtype) } : i));
  const first: Program = { ...program, instructions: unrounded, outputs: reduces.map((value) => ({ value, perRow: true })) };

  const instructions: Instruction[] = [];
  const operands: Operand[] = [...partials];
  const renamed = new Map<number, number>();
  const { scalar } = analyseRows(program, inputs);
  for (const v of live.filter((value) => scalar[value])) {
    const i = program.instructions[v]!;
    if (i.op === "reduce") {
      const a = instructions.push({ op: "load", dtype: wide(i.dtype), input: reduces.indexOf(v) }) - 1;
      instructions.push({ ...i, a });
    } else if (i.op === "load") {
      const from = inputs[i.input]!;
      instructions.push({ ...i, input: operands.push({ ...from, shape, strides: [...from.strides.slice(0, lead.length), 0] }) - 1 });
    } else if (i.op === "index" && i.axis >= lead.length) instructions.push({ op: "const", dtype: "i32", value: 0 });
    else {
      const moved = withOperands(i, (x) => renamed.get(x)!);
      instructions.push(moved.op === "lookup" ? { ...moved, input: operands.push(inputs[moved.input]!) - 1 } : moved);
    }
    renamed.set(v, instructions.length - 1);
  }
  const second: Program = {
    shape,
    reduced: 1,
    instructions,
    outputs: program.outputs.map((o) => ({ value: renamed.get(o.value)!, perRow: true })),
  };
  return [rowReduce(first, inputs, partials, context, segments), rowReduce(second, operands, outputs, context)];
}
