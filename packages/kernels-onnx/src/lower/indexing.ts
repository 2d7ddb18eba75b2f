import { sizeOf } from "@weft/tensor-core";
import type { Context, OpStep } from "./context.js";
import { load } from "./storage.js";
import type { Value } from "./value.js";

/** Indices that the runtime takes (where others would be errors, and negative ones count from the end), and which of them are those that were given. */
export function within(index: Value, n: number, { builder: b, lanes: l }: Context): { readonly at: Value; readonly inside: Value } {
  const given = b.as(index, "i");
  const inside = l.both(l.ile(l.i32(0), given), l.ilt(given, l.i32(n)));
  return { at: l.iselect(inside, given, l.i32(0)), inside };
}

/** A value where a condition holds, else 0. */
function where(inside: Value, v: Value, { builder: b, lanes: l }: Context): Value {
  return v.kind === "f" ? l.select(inside, v, l.f32(0)) : b.as(l.iselect(inside, b.as(v, "i"), l.i32(0)), v.kind);
}

export function lowerGather({ attrs, inputs: [x, index], outputs: [output] }: OpStep, context: Context): void {
  const { builder: b } = context;
  const axis = attrs.axis as number;
  const { shape } = output!;
  if (x!.shape[axis] === 0) return context.store(output!, b.expand(b.constant(context.view(x!).kind, 0), shape));
  const table = context.asStored(x!);
  const { at, inside } = within(context.whole(index!), x!.shape[axis]!, context);
  // What is picked is widened, not all of a table.
  const picked = load(b, { ...table, name: b.graph.node("Gather", [table.name, at.name], { axis }), shape });
  // Along the axes of the index.
  const known = b.reshape(
    inside,
    shape.map((d, i) => (i < axis || i >= axis + index!.shape.length ? 1 : d)),
  );
  context.store(output!, where(known, picked, context));
}

/** One element after the other, so that sums come out the same each time (ScatterND adds to one place on several threads). */
export function lowerScatterAdd({ attrs, inputs: [base, index, updates], outputs: [output] }: OpStep, context: Context): void {
  const { builder: b } = context;
  const axis = attrs.axis as number;
  const { shape } = base!;
  const kind = context.view(base!).kind === "f" ? "f" : "i";
  const start = b.as(context.whole(base!), kind);
  const count = sizeOf(index!.shape);
  if (count === 0) return context.store(output!, start);
  const [outer, inner] = [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis + 1))];
  const { at, inside } = within(context.whole(index!), shape[axis]!, context);
  const rows = b.expand(b.reshape(at, [1, count, 1]), [outer, count, inner]);
  const added = where(b.reshape(inside, [1, count, 1]), b.reshape(b.as(context.whole(updates!), kind), [outer, count, inner]), context);
  const name = b.graph.node("ScatterElements", [b.reshape(start, [outer, shape[axis]!, inner]).name, rows.name, added.name], {
    axis: 1,
    reduction: "add",
  });
  context.store(output!, b.reshape({ name, kind, shape: [outer, shape[axis]!, inner] }, shape));
}
