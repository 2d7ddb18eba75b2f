import { type Operand, sizeOf } from "@weft/tensor-core";
import { TYPE } from "../model/messages.js";
import type { Builder } from "./builder.js";
import type { Value } from "./value.js";

/** An axis of a view that moves through its buffer. */
interface Axis {
  readonly axis: number;
  readonly length: number;
  /** Distance of neighbours; `flipped` ones are walked backwards. */
  readonly stride: number;
  readonly flipped: boolean;
}

/** The operand as a view of the values of its whole buffer. Axes along which it repeats one element have length 1. */
export function viewOf(b: Builder, base: Value, operand: Operand): Value {
  const shape = operand.shape.map((d, i) => (operand.strides[i] === 0 && d > 0 ? 1 : d));
  const count = sizeOf(base.shape);
  const flat = (): Value => b.reshape(base, [count]);
  if (sizeOf(shape) === 0) return b.reshape(b.slice(flat(), 0, 0, 0), shape);
  const axes = movingAxes(operand);
  const start = operand.offset - axes.reduce((sum, a) => sum + (a.flipped ? (a.length - 1) * a.stride : 0), 0);
  if (start === 0 && sizeOf(shape) === count && isRowMajor(axes)) return b.reshape(base, shape);
  const outerFirst = [...axes].sort((x, y) => y.stride - x.stride);
  if (!isNested(outerFirst)) return pick(b, flat(), operand, shape);
  const parts = cut(b, flat(), outerFirst, start);
  const flipped = outerFirst.reduce((v, a, at) => (a.flipped ? b.flip(v, at) : v), parts);
  const order = outerFirst.map((a, at) => ({ axis: a.axis, at })).sort((x, y) => x.axis - y.axis);
  return b.reshape(
    b.transpose(
      flipped,
      order.map(({ at }) => at),
    ),
    shape,
  );
}

function movingAxes({ shape, strides }: Operand): Axis[] {
  return shape.flatMap((length, axis) => {
    const stride = strides[axis]!;
    return length === 1 || stride === 0 ? [] : [{ axis, length, stride: Math.abs(stride), flipped: stride < 0 }];
  });
}

function isRowMajor(axes: readonly Axis[]): boolean {
  let expected = 1;
  for (const { length, stride, flipped } of [...axes].reverse()) {
    if (flipped || stride !== expected) return false;
    expected *= length;
  }
  return true;
}

/** Whether each axis steps over all that those inside it walk through. */
function isNested(outerFirst: readonly Axis[]): boolean {
  return outerFirst.every((a, i) => {
    const inner = outerFirst[i + 1];
    return !inner || a.stride >= inner.stride * inner.length;
  });
}

/** Cuts axis after axis, the outer first, out of a row of elements: [… outer lengths, elements of one step]. */
function cut(b: Builder, row: Value, outerFirst: readonly Axis[], start: number): Value {
  const [outer] = outerFirst;
  const needed = outer ? outer.stride * outer.length : 1;
  const end = Math.min(row.shape[0]!, start + needed);
  // What the last step would reach beyond the buffer is read by nobody.
  let v = b.padAxis(b.slice(row, 0, start, end), 0, 0, needed - (end - start));
  const lengths: number[] = [];
  for (const { length, stride } of outerFirst) {
    v = b.slice(v, lengths.length, 0, stride * length);
    lengths.push(length);
    v = b.reshape(v, [...lengths, stride]);
  }
  if (lengths.length === 0) return b.reshape(v, []);
  return b.reshape(b.slice(v, lengths.length, 0, 1), lengths);
}

/** Overlapping windows: element by element. */
function pick(b: Builder, row: Value, { strides, offset }: Operand, shape: readonly number[]): Value {
  let offsets = [offset];
  shape.forEach((d, axis) => (offsets = offsets.flatMap((at) => Array.from({ length: d }, (_, i) => at + i * strides[axis]!))));
  const index = b.graph.constant(TYPE.i64, shape, BigInt64Array.from(offsets, BigInt));
  return { ...row, name: b.graph.node("Gather", [row.name, index]), shape };
}
