import { type DType, isFloat, type ReduceOp, sizeOf } from "@weft/tensor-core";
import { identity, type Lanes } from "@weft/tensor-core/program";
import type { Builder } from "./builder.js";
import type { Context, OpStep } from "./context.js";
import type { Value } from "./value.js";

const OPERATORS: Readonly<Record<ReduceOp, string>> = { sum: "ReduceSum", prod: "ReduceProd", max: "ReduceMax", min: "ReduceMin" };

/** Elements that the runtime adds up in one go; longer sums are sums of sums, so that errors do not grow with their length. */
const BLOCK = 128;

/** One value for all elements along the axes, which stay with length 1. */
export function reduce(
  b: Builder,
  l: Lanes<Value, Value, Value>,
  how: ReduceOp,
  dtype: DType,
  value: Value,
  axes: readonly number[],
): Value {
  const x = b.as(value, isFloat(dtype) ? "f" : "i");
  const shape = x.shape.map((d, i) => (axes.includes(i) ? 1 : d));
  if (sizeOf(x.shape) === 0) return b.expand(b.constant(x.kind, identity(how, dtype)), shape);
  if (axes.length === 0) return x;
  if (x.kind === "i") return b.reduce(OPERATORS[how], x, axes);
  if (how === "sum") return sum(b, x, axes);
  const result = b.reduce(OPERATORS[how], x, axes);
  if (how === "prod") return result;
  // The runtime's minimum and maximum pass over NaN.
  const nan = b.reduce("ReduceMax", b.elementwise("IsNaN", "b", [x]), axes);
  return l.select(nan, l.f32(NaN), result);
}

/** The largest divisor of a length that is no longer than a block, if blocks of it are not too short. */
function evenBlock(length: number): number | undefined {
  for (let size = BLOCK; size >= BLOCK / 16; size--) if (length % size === 0) return size;
  return undefined;
}

function sum(b: Builder, x: Value, axes: readonly number[]): Value {
  const axis = axes.find((a) => x.shape[a]! > BLOCK);
  if (axis === undefined) return b.reduce("ReduceSum", x, axes);
  const n = x.shape[axis]!;
  const block = evenBlock(n) ?? BLOCK;
  const whole = n - (n % block);
  const cut = [...x.shape.slice(0, axis), whole / block, block, ...x.shape.slice(axis + 1)];
  const sums = b.reduce("ReduceSum", b.reshape(b.slice(x, axis, 0, whole), cut), [axis + 1], false);
  const rest = whole < n ? [b.reduce("ReduceSum", b.slice(x, axis, whole, n), [axis])] : [];
  return sum(b, b.concat([sums, ...rest], axis), axes);
}

/** The sum of a matrix over its rows. */
export function lowerReduce({ inputs: [x], outputs: [output] }: OpStep, context: Context): void {
  const { builder: b, lanes: l } = context;
  context.store(output!, b.reshape(reduce(b, l, "sum", x!.dtype, context.whole(x!), [0]), output!.shape));
}
