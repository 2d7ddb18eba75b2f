import { attentionLimits, type CompositeCall, type Operand, sizeOf } from "@weft/tensor-core";
import { TYPE } from "../model/messages.js";
import type { CompositeStep, Context } from "./context.js";
import type { Value } from "./value.js";

/** The score of what is not seen: the smallest f32, so that a row that sees nothing has no NaN on the way. */
const MASKED = -3.4028234663852886e38;

export const claimsAttention = ({ inputs }: CompositeCall): boolean =>
  inputs.slice(0, 3).every(({ dtype, shape }) => dtype === "f32" && sizeOf(shape) > 0);

/** What queries see: [.., T, S], everywhere if undefined; and which rows see anything [.., T, 1], all if undefined. */
interface Sight {
  readonly seen?: Value;
  readonly any?: Value;
}

/** The largest value over the last axis, which stays; passes over NaN. */
const most = ({ builder: b }: Context, x: Value): Value => b.reduce("ReduceMax", x, [x.shape.length - 1]);

function sightOf(context: Context, { attrs, inputs: [q, k, , ...limits] }: CompositeStep): Sight {
  const { builder: b, lanes: l } = context;
  const [queries, keys] = [q!.shape[2]!, k!.shape[2]!];
  const { mask, lengths } = attentionLimits(limits);
  const causal = attrs.causal as boolean;
  const place = (shape: readonly number[]): Value => ({
    name: b.graph.constant(
      TYPE.i32,
      shape,
      Int32Array.from({ length: sizeOf(shape) }, (_, i) => i),
    ),
    kind: "i",
    shape,
  });
  const key = place([1, 1, 1, keys]);
  const open = (): Value | undefined => {
    const length = lengths ? b.reshape(context.whole(lengths), [...lengths.shape, 1, 1, 1]) : l.i32(keys);
    if (causal) return l.ile(key, l.iadd(place([1, 1, queries, 1]), l.isub(length, l.i32(queries))));
    return lengths && l.ilt(key, length);
  };
  const within = open();
  const shown = mask && context.view(mask);
  const seen = within && shown ? l.both(within, shown) : (within ?? shown);
  const blind = limits.length > 0 || (causal && keys < queries);
  return { ...(seen && { seen }), ...(seen && blind && { any: most(context, seen) }) };
}

/** Attention by the runtime's operator: rows and columns of its mask may not stay at length 1. */
function byOperator({ builder: b }: Context, [q, k, v]: readonly [Value, Value, Value], scale: number, seen: Value | undefined): string {
  const mask = seen && b.expand(seen, [...seen.shape.slice(0, -2), q.shape[2]!, k.shape[2]!]);
  return b.graph.node("Attention", [q.name, k.name, v.name, ...(mask ? [mask.name] : [])], { scale: { float: scale } });
}

export function lowerAttention(step: CompositeStep, context: Context): void {
  const { builder: b, lanes: l } = context;
  const { attrs, outputs } = step;
  const [output, total] = outputs as [Operand, Operand];
  const [q, k, v] = step.inputs.slice(0, 3).map((input) => context.whole(input)) as [Value, Value, Value];
  const [batch, heads, queries, width] = q.shape as [number, number, number, number];
  const [, groups, keys] = k.shape as [number, number, number];
  const { seen, any } = sightOf(context, step);
  const scale = attrs.scale as number;
  const visible = (y: Value, otherwise: number): Value => (any ? l.select(any, y, l.f32(otherwise)) : y);
  // Of one query, products and a softmax are faster; they alone give the sums that a gradient needs.
  if (queries > 1 && !context.isRead(total))
    return context.store(output, visible({ name: byOperator(context, [q, k, v], scale, seen), kind: "f", shape: output.shape }, 0));
  // One query: a row for each head, which needs no keys packed; else the heads of a group together.
  const each = heads / groups;
  const [rows, keyRows] =
    queries === 1
      ? [
          [batch, groups, each, 1],
          [batch, groups, 1, keys],
        ]
      : [
          [batch, groups, each * queries],
          [batch, groups, keys],
        ];
  const product = b.graph.node(
    "FusedMatMul",
    [b.reshape(q, [...rows, width]).name, b.reshape(k, [...keyRows, width]).name],
    { transB: 1, alpha: { float: scale } },
    "com.microsoft",
  );
  const scores = b.reshape({ name: product, kind: "f", shape: [...rows, keys] }, [batch, heads, queries, keys]);
  const masked = seen ? l.select(seen, scores, l.f32(MASKED)) : scores;
  const weights: Value = { ...masked, name: b.graph.node("Softmax", [masked.name], { axis: -1 }) };
  const values = b.reshape(v, [...keyRows, v.shape[3]!]);
  const y: Value = {
    name: b.graph.node("MatMul", [b.reshape(weights, [...rows, keys]).name, values.name]),
    kind: "f",
    shape: [...rows, v.shape[3]!],
  };
  context.store(output, visible(b.reshape(y, output.shape), 0));
  if (!context.isRead(total)) return;
  // The largest weight of a row is 1 / Σ exp(score - largest score); the first weight is NaN where any is.
  const first = b.slice(weights, 3, 0, 1);
  const sum = l.add(b.elementwise("Log", "f", [most(context, weights)]), l.mul(first, l.f32(0)));
  context.store(total, b.reshape(visible(l.sub(most(context, masked), sum), Infinity), total.shape));
}
