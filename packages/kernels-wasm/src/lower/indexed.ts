import { bytesPerElement, type Operand, ShapeError, sizeOf, type Step } from "@weft/tensor-core";
import type { ArgumentBlock, LowerContext, Run } from "./context.js";
import { lowerCopy } from "./fused.js";
import { type Place, placeOf, temporary } from "./place.js";

type OpStep = Step & { readonly kind: "op" };

/** Bytes moved below which waking other threads costs more than it gives. */
const SMALL = 1 << 17;

const sequence = (runs: readonly Run[]): Run => (runs.length === 1 ? runs[0]! : (addresses) => runs.forEach((run) => run(addresses)));

/** The operand itself if it has the dtype, else a converted copy, made by a run that is added to `before`. */
function as(dtype: "f32" | "i32", x: Operand, context: LowerContext, before: Run[]): Place {
  if (x.dtype === dtype) return x;
  const copy = temporary(context, x.shape, dtype);
  before.push(lowerCopy(x, copy, context));
  return copy;
}

/** Words 0 and 1 of the block: the index that left its axis, and a flag. */
function checkIndices(op: string, args: ArgumentBlock, n: number, { memory }: LowerContext): void {
  const at = args.address >>> 2;
  if (memory.words[at + 1] === 0) return;
  args.set(1, 0);
  throw new ShapeError(`${op}: index ${memory.words[at]} is outside an axis of ${n} elements`);
}

const around = (shape: readonly number[], axis: number): [number, number, number] => [
  sizeOf(shape.slice(0, axis)),
  shape[axis]!,
  sizeOf(shape.slice(axis + 1)),
];

/** Rows of any dtype, copied as bytes. */
export function lowerGather({ attrs, inputs, outputs }: OpStep, context: LowerContext): Run {
  const [x, index] = inputs as [Operand, Operand];
  const [out] = outputs as [Operand];
  const [outer, n, inner] = around(x.shape, attrs.axis as number);
  const before: Run[] = [];
  const indices = as("i32", index, context, before);
  const count = sizeOf(index.shape);
  const rowBytes = inner * bytesPerElement(x.dtype);
  const args = context.args([0, 0, 0, 0, 0, n, count, rowBytes]);
  return sequence([
    ...before,
    (addresses) => {
      args.set(2, placeOf(out, addresses));
      args.set(3, placeOf(x, addresses));
      args.set(4, placeOf(indices, addresses));
      context.pool.run("gatherRows", args.address, outer * count, outer * count * rowBytes < SMALL);
      checkIndices("gather", args, n, context);
    },
  ]);
}

/** Sums in f32; other dtypes than f32 by way of it. Integers have no kernel: f32 would lose digits. */
export function lowerScatterAdd({ attrs, inputs, outputs }: OpStep, context: LowerContext): Run | undefined {
  const [base, index, updates] = inputs as [Operand, Operand, Operand];
  const [out] = outputs as [Operand];
  if (base.dtype === "i32") return undefined;
  const [outer, n, inner] = around(base.shape, attrs.axis as number);
  const before: Run[] = [];
  const indices = as("i32", index, context, before);
  const added = as("f32", updates, context, before);
  const sum = out.dtype === "f32" ? (out as Place) : temporary(context, out.shape, "f32");
  before.push(lowerCopy(base, sum, context));
  const args = context.args([0, 0, 0, 0, 0, n, sizeOf(index.shape), inner]);
  const after = sum === out ? [] : [lowerCopy(sum, out, context)];
  return sequence([
    ...before,
    (addresses) => {
      args.set(2, placeOf(sum, addresses));
      args.set(3, placeOf(added, addresses));
      args.set(4, placeOf(indices, addresses));
      context.pool.run("scatterAdd", args.address, outer * Math.ceil(inner / 64), sizeOf(updates.shape) * 4 < SMALL);
      checkIndices("scatterAdd", args, n, context);
    },
    ...after,
  ]);
}

/** Floats by way of f32 (exact); integers beyond 24 bits would lose digits there and go to the reference. */
export function lowerArgReduce({ attrs, inputs, outputs }: OpStep, context: LowerContext): Run | undefined {
  const [x] = inputs as [Operand];
  const [out] = outputs as [Operand];
  if (x.dtype === "i32") return undefined;
  const before: Run[] = [];
  const wide = as("f32", x, context, before);
  const [outer, n, inner] = around(x.shape, attrs.axis as number);
  const args = context.args([0, 0, n, inner, attrs.how === "max" ? 1 : -1]);
  return sequence([
    ...before,
    (addresses) => {
      args.set(0, placeOf(out, addresses));
      args.set(1, placeOf(wide, addresses));
      context.pool.run("argReduce", args.address, outer * inner, outer * n * inner * 4 < SMALL);
    },
  ]);
}

/** f32 with an f64 running sum. */
export function lowerCumsum({ attrs, inputs, outputs }: OpStep, context: LowerContext): Run | undefined {
  const [x] = inputs as [Operand];
  const [out] = outputs as [Operand];
  if (x.dtype !== "f32") return undefined;
  const [outer, n, inner] = around(x.shape, attrs.axis as number);
  const args = context.args([0, 0, n, inner, attrs.reverse ? 1 : 0]);
  return (addresses) => {
    args.set(0, placeOf(out, addresses));
    args.set(1, placeOf(x, addresses));
    context.pool.run("cumulate", args.address, outer * inner, sizeOf(x.shape) * 4 < SMALL);
  };
}

export function lowerRandom({ inputs, outputs }: OpStep, context: LowerContext): Run {
  const [key] = inputs as [Operand];
  const [out] = outputs as [Operand];
  const count = sizeOf(out.shape);
  const args = context.args([0, 0, count]);
  return (addresses) => {
    args.set(0, placeOf(out, addresses));
    args.set(1, placeOf(key, addresses));
    context.pool.run("threefry", args.address, Math.ceil(count / 2), count < 4096);
  };
}
