import { type Operand, sizeOf } from "@weft/tensor-core";
import { TYPE } from "../model/messages.js";
import type { Context, OpStep } from "./context.js";
import type { Value } from "./value.js";

const vector = ({ builder: b }: Context, values: readonly number[]): Value => ({
  name: b.graph.constant(TYPE.i32, [values.length], Int32Array.from(values)),
  kind: "i",
  shape: [values.length],
});

/** Where a box of `size` begins along each of its axes, moved inside. */
function begin(context: Context, starts: Operand, lengths: readonly number[], size: readonly number[]): Value {
  const { lanes: l } = context;
  const last = lengths.map((n, k) => n - size[k]!);
  return l.imax(l.imin(context.whole(starts), vector(context, last)), l.i32(0));
}

/** The elements from `start` up to `end`, which are data, along axes. */
function cut(context: Context, x: Value, axes: readonly number[], start: Value, end: Value, shape: readonly number[]): Value {
  const { graph } = context.builder;
  return { ...x, name: graph.node("Slice", [x.name, start.name, end.name, vector(context, axes).name]), shape };
}

export function lowerDynamicSlice({ attrs, inputs: [x, starts], outputs: [output] }: OpStep, context: Context): void {
  const { axes, size } = attrs as unknown as { readonly axes: readonly number[]; readonly size: readonly number[] };
  const { lanes: l } = context;
  if (axes.length === 0) return context.store(output!, context.whole(x!));
  const start = begin(
    context,
    starts!,
    axes.map((axis) => x!.shape[axis]!),
    size,
  );
  context.store(output!, cut(context, context.whole(x!), axes, start, l.iadd(start, vector(context, size)), output!.shape));
}

export function lowerUpdate({ attrs, inputs: [base, value, starts], outputs: [output] }: OpStep, context: Context): void {
  const axes = attrs.axes as readonly number[];
  if (axes.length === 0) return context.store(output!, context.whole(value!));
  if (sizeOf(value!.shape) === 0) return context.store(output!, context.whole(base!));
  const sizes = axes.map((axis) => value!.shape[axis]!);
  const start = begin(
    context,
    starts!,
    axes.map((axis) => base!.shape[axis]!),
    sizes,
  );
  const [axis] = axes as [number];
  if (axes.length === 1 && axis > 0)
    return context.store(output!, scattered(context, context.whole(base!), context.whole(value!), axis, start));
  context.store(output!, written(context, context.whole(base!), context.whole(value!), axes, 0, start));
}

/** The base with the value in it along an axis that is not the first, by the operator made for caches: it begins at the same place in all of the first. */
function scattered({ builder: b }: Context, base: Value, value: Value, axis: number, start: Value): Value {
  const index = b.expand(b.cast(start, "i", TYPE.i64), [base.shape[0]!]);
  const name = b.graph.node("TensorScatter", [base.name, value.name, index.name], { axis });
  return { ...base, name };
}

/** The base with the value in it along the axes from number `k` on: what lies before the box, the box, what lies behind it. */
function written(context: Context, base: Value, value: Value, axes: readonly number[], k: number, starts: Value): Value {
  const { builder: b, lanes: l } = context;
  const axis = axes[k];
  if (axis === undefined) return value;
  const [n, size] = [base.shape[axis]!, value.shape[axis]!];
  const [start, zero, all] = [b.slice(starts, 0, k, k + 1), vector(context, [0]), vector(context, [n])];
  const end = l.iadd(start, l.i32(size));
  // Lengths of the outer parts are known only when it runs; nothing asks for them.
  const part = (from: Value, to: Value): Value => cut(context, base, [axis], from, to, base.shape);
  const box = cut(
    context,
    base,
    [axis],
    start,
    end,
    base.shape.map((d, i) => (i === axis ? size : d)),
  );
  const inner = written(context, box, value, axes, k + 1, starts);
  const name = b.graph.node("Concat", [part(zero, start).name, inner.name, part(end, all).name], { axis });
  return { ...base, name };
}
