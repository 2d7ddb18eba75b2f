import { TYPE } from "../model/messages.js";
import type { Context, OpStep } from "./context.js";
import type { Value } from "./value.js";

export function lowerArgReduce({ attrs, inputs: [x], outputs: [output] }: OpStep, context: Context): void {
  const { builder: b, lanes: l } = context;
  const axis = attrs.axis as number;
  const v = context.whole(x!);
  const values = v.kind === "b" ? b.as(v, "i") : v;
  const first = (op: string, of: Value): Value => {
    const name = b.graph.node("Cast", [b.graph.node(op, [of.name], { axis, keepdims: 0 })], { to: TYPE.i32 });
    return { name, kind: "i", shape: output!.shape };
  };
  const best = first(attrs.how === "max" ? "ArgMax" : "ArgMin", values);
  if (values.kind === "i") return context.store(output!, best);
  // The first NaN wins; the runtime passes over them.
  const nan = b.as(l.isNaN(values), "i");
  const any = b.reshape(b.reduce("ReduceMax", nan, [axis]), output!.shape);
  context.store(output!, l.iselect(any, first("ArgMax", nan), best));
}

/** Whole numbers in the order of floats: NaN above all, both zeros equal. */
function keys(x: Value, { lanes: l }: Context): Value {
  const bits = l.bits(l.add(x, l.f32(0)));
  const ordered = l.ixor(bits, l.iand(l.shrS(bits, 31), l.i32(0x7fffffff)));
  return l.iselect(l.isNaN(x), l.i32(0x7fffffff), ordered);
}

/** By TopK of all elements, which leaves equal ones in their order. */
export function lowerArgSort({ attrs, inputs: [x], outputs: [output] }: OpStep, context: Context): void {
  const { builder: b } = context;
  const axis = attrs.axis as number;
  const v = context.whole(x!);
  const sorted = v.kind === "f" ? keys(v, context) : b.as(v, "i");
  const [, index] = b.graph.call("TopK", [sorted.name, b.numbers([v.shape[axis]!])], 2, {
    axis,
    largest: Number(attrs.descending),
    sorted: 1,
  });
  context.store(output!, { name: b.graph.node("Cast", [index!], { to: TYPE.i32 }), kind: "i", shape: v.shape });
}
