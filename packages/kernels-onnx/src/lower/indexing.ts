import { sizeOf } from "@weft/tensor-core";
import type { Context, OpStep } from "./context.js";
import type { Value } from "./value.js";

/**
 * An index as the runtime takes it: there, negative ones count from the end; here they are errors. Without the sign bit they are larger than
 * any axis, which is an error there, too; `indexOf` undoes it.
 */
function checked(index: Value, { builder: b, lanes: l }: Context): Value {
  return l.iand(b.as(index, "i"), l.i32(0x7fffffff));
}

/** The index that the runtime complains about, as it was before `checked`. */
export const indexOf = (reported: number): number => (reported >= 2 ** 30 ? reported - 2 ** 31 : reported);

export function lowerGather({ attrs, inputs: [x, index], outputs: [output] }: OpStep, context: Context): void {
  const v = context.whole(x!);
  const name = context.builder.graph.node("Gather", [v.name, checked(context.whole(index!), context).name], { axis: attrs.axis as number });
  context.store(output!, { name, kind: v.kind, shape: output!.shape });
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
  const rows = b.expand(b.reshape(checked(context.whole(index!), context), [1, count, 1]), [outer, count, inner]);
  const added = b.reshape(b.as(context.whole(updates!), kind), [outer, count, inner]);
  const name = b.graph.node("ScatterElements", [b.reshape(start, [outer, shape[axis]!, inner]).name, rows.name, added.name], {
    axis: 1,
    reduction: "add",
  });
  context.store(output!, b.reshape({ name, kind, shape: [outer, shape[axis]!, inner] }, shape));
}
