import { sizeOf } from "@weft/tensor-core";
import { Graph } from "../model/graph.js";
import { Builder } from "./builder.js";
import type { Context, OpStep } from "./context.js";
import { type Kind, KIND_TYPE, type Value } from "./value.js";

export function lowerScan({ attrs, inputs, outputs: [output] }: OpStep, context: Context): void {
  const { builder: b } = context;
  const axis = attrs.axis as number;
  const reverse = attrs.reverse as boolean;
  const kind: Kind = context.view(inputs[0]!).kind === "f" ? "f" : "i";
  const values = inputs.map((input) => b.as(context.whole(input), kind));
  if (attrs.how === "sum") {
    const name = b.graph.node("CumSum", [values[0]!.name, b.numbers([axis])], { reverse: Number(reverse) });
    return context.store(output!, { ...values[0]!, name });
  }
  const { shape } = output!;
  const lines = [sizeOf(shape.slice(0, axis)), shape[axis]!, sizeOf(shape.slice(axis + 1))];
  const rows = values.map((v) => b.reshape(v, lines));
  const step = attrs.how === "max" ? maximum : recurrence;
  context.store(output!, b.reshape(loop(context, rows, reverse, step), shape));
}

/** The next element from the one before it and the inputs there. */
type StepOf = (b: Builder, before: Value, at: readonly Value[]) => Value;

const maximum: StepOf = (b, before, [x]) => b.elementwise("Max", x!.kind, [before, x!]);
const recurrence: StepOf = (b, before, [factor, term]) => b.elementwise("Add", "f", [b.elementwise("Mul", "f", [factor!, before]), term!]);

/** Along the middle axis of [outer, n, inner]: the first element is that of the last input, each further one comes from the one before. */
function loop({ builder: b }: Context, inputs: readonly Value[], reverse: boolean, step: StepOf): Value {
  const last = inputs.at(-1)!;
  const { kind } = last;
  const [outer, n, inner] = last.shape as [number, number, number];
  const [from, to] = reverse ? [n - 1, n] : [0, 1];
  const first = b.slice(last, 1, from, to);
  if (n === 1) return first;
  const rest = inputs.map((v) => b.slice(v, 1, reverse ? 0 : 1, reverse ? n - 1 : n));
  const body = new Graph("s");
  const inside = new Builder(body);
  const line = [outer, inner];
  const value = (name: string): Value => ({ name: body.input(name, KIND_TYPE[kind], line), kind, shape: line });
  const next = step(
    inside,
    value("before"),
    rest.map((_, i) => value(`at${i}`)),
  );
  // Twice: as what the next round begins with, and as an element of the result.
  body.output("next", next.name, KIND_TYPE[kind], line);
  body.output("element", next.name, KIND_TYPE[kind], line);
  const directions = rest.map(() => Number(reverse));
  const [, scanned] = b.graph.call("Scan", [b.reshape(first, line).name, ...rest.map((v) => v.name)], 2, {
    body: { graph: body.body() },
    num_scan_inputs: rest.length,
    scan_input_axes: rest.map(() => 1),
    scan_input_directions: directions,
    scan_output_axes: [1],
    scan_output_directions: [Number(reverse)],
  });
  const others: Value = { name: scanned!, kind, shape: [outer, n - 1, inner] };
  return b.concat(reverse ? [others, first] : [first, others], 1);
}
