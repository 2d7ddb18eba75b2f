import { type DType, type Instruction, isFloat, type Operand, type Program } from "@weft/tensor-core";
import { compute } from "@weft/tensor-core/program";
import { TYPE } from "../model/messages.js";
import { fitsAnyShape, inShape, shapeAtHand } from "./any-shape.js";
import type { Context, FusedStep } from "./context.js";
import { elementwise } from "./elementwise.js";
import { within } from "./indexing.js";
import { reduce } from "./reduce.js";
import { load as loadStored, store } from "./storage.js";
import type { Value } from "./value.js";

/** A fused program as nodes. Values are of the rank of its space, or of no axes; those that do not vary along an axis have length 1 there. */
export function lowerFused(context: Context, step: FusedStep): void {
  const { program, inputs, outputs } = fitsAnyShape(step) ? inShape(step, shapeAtHand(context, step)) : step;
  const { builder: b } = context;
  const { shape, reduced, instructions } = program;
  const lead = shape.length - reduced;
  const values = valuesOf(context, program, inputs, (input) => context.view(inputs[input]!));
  program.outputs.forEach(({ value, perRow }, k) => {
    const v = values[value]!;
    const full = perRow ? b.expand(v, [...shape.slice(0, lead), ...shape.slice(lead).map(() => 1)]) : b.expand(v, shape);
    context.store(outputs[k]!, full, instructions[value]!.dtype);
  });
}

/** What each instruction of a program computes; `load` gives the elements of an input. */
export function valuesOf(context: Context, program: Program, inputs: readonly Operand[], load: (input: number) => Value): Value[] {
  const values: Value[] = [];
  for (const i of program.instructions) values.push(valueOf(context, program, i, inputs, values, load));
  return values;
}

function valueOf(
  context: Context,
  { shape, reduced, instructions }: Program,
  i: Instruction,
  inputs: readonly Operand[],
  values: readonly Value[],
  load: (input: number) => Value,
): Value {
  const { builder: b, lanes: l } = context;
  const lead = shape.length - reduced;
  const dtypeOf = (v: number): DType => instructions[v]!.dtype;
  switch (i.op) {
    case "load":
      return load(i.input);
    case "lookup": {
      const operand = inputs[i.input]!;
      const table = b.expand(context.view(operand), operand.shape);
      const { at } = within(values[i.a]!, operand.shape[0]!, context);
      return { name: b.graph.node("Gather", [table.name, at.name]), kind: table.kind, shape: at.shape };
    }
    case "index": {
      const along = shape.map((d, axis) => (axis === i.axis ? d : 1));
      const positions = Int32Array.from({ length: shape[i.axis]! }, (_, at) => at);
      return { name: b.graph.constant(TYPE.i32, along, positions), kind: "i", shape: along };
    }
    case "reduce": {
      const axes = shape.flatMap((_, axis) => (axis >= lead ? [axis] : []));
      const x = values[i.a]!;
      // Every element along the row counts, also of what is the same along it.
      const rows = b.expand(
        x,
        shape.map((d, axis) => (axis >= lead ? d : (x.shape[axis] ?? 1))),
      );
      return reduce(b, l, i.how, i.dtype, rows, axes);
    }
    case "cast":
      // The runtime rounds to 16 bits by itself.
      if (isFloat(i.dtype)) return loadStored(b, store(b, l, values[i.a]!, dtypeOf(i.a), i.dtype));
      return compute(l, i, (v) => values[v]!, dtypeOf);
    case "const":
    case "bitcast":
    case "where":
      return compute(l, i, (v) => values[v]!, dtypeOf);
    default:
      return elementwise(b, l, i.op, dtypeOf(i.a), "b" in i ? [values[i.a]!, values[i.b]!] : [values[i.a]!]);
  }
}
