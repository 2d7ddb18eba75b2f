import { type Attrs, type DType, isFloat, type Shape } from "@weft/tensor-core";
import { type Bounds, isAnything, isPoint, Writer } from "./bounds.js";
import { placesOf } from "./movement.js";
import { Sum, UNIT } from "./sums.js";

const sizeOf = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);

/** Places of the input that each element of a reduction is made of. */
function groups(from: Shape, axes: readonly number[]): Int32Array[] {
  const kept = from.map((_, i) => i).filter((i) => !axes.includes(i));
  const order = [...kept, ...axes];
  const turned = placesOf(
    order.map((i) => from[i]!),
    from,
    (at) => from.map((_, axis) => at[order.indexOf(axis)]!),
  );
  const length = sizeOf(axes.map((i) => from[i]!));
  return Array.from({ length: sizeOf(kept.map((i) => from[i]!)) }, (_, i) => turned.subarray(i * length, (i + 1) * length));
}

export function reduceBounds(x: Bounds, from: Shape, attrs: Attrs, dtype: DType): Bounds {
  const all = groups(from, attrs.axes as readonly number[]);
  const result = new Writer(all.length);
  all.forEach((group, i) => {
    if (attrs.how === "sum") {
      const sum = new Sum();
      group.forEach((p) => sum.add(x, p));
      sum.store(result, i, !isFloat(dtype));
    } else if (attrs.how === "prod") product(result, i, x, group, isFloat(dtype));
    else extremum(result, i, x, group, attrs.how === "max", dtype);
  });
  return result;
}

function product(result: Writer, i: number, x: Bounds, group: Int32Array, float: boolean): void {
  let [low, high, large, small, special] = [1, 1, 1, 1, false];
  let whole = 1;
  for (const p of group) {
    if (isAnything(x, p)) return result.anything(i);
    const [a, b] = [x.lo[p]!, x.hi[p]!];
    const corners = [low * a, low * b, high * a, high * b];
    [low, high] = [Math.min(...corners), Math.max(...corners)];
    whole = Math.imul(whole, a);
    const size = Math.max(Math.abs(a), Math.abs(b));
    special ||= !Number.isFinite(size);
    large *= Math.max(1, size);
    if (size !== 0) small *= Math.min(1, Math.abs(a), Math.abs(b));
  }
  if (!float) return group.every((p) => isPoint(x, p)) ? result.exactly(i, whole) : result.anything(i);
  if (special && low === high) return result.exactly(i, low);
  if (special && low !== low && group.every((p) => isPoint(x, p))) return result.exactly(i, NaN);
  // In another order a product may leave the range of f32 on the way.
  if (special || large > 1e38 || small < 1e-37)
    return low === 0 && high === 0 && !special && large < 1e38 ? result.exactly(i, 0) : result.anything(i);
  const exact = low === high && Number.isInteger(low) && large < 2 ** 24 && group.every((p) => Number.isInteger(x.lo[p]!));
  const error = exact ? 0 : Math.max(Math.abs(low), Math.abs(high)) * group.length * 2 * UNIT;
  result.set(i, low, high, error);
}

function extremum(result: Writer, i: number, x: Bounds, group: Int32Array, largest: boolean, dtype: DType): void {
  if (group.length === 0 && !isFloat(dtype)) return result.anything(i);
  let [low, high] = largest ? [-Infinity, -Infinity] : [Infinity, Infinity];
  let nan = false;
  const better = largest ? Math.max : Math.min;
  for (const p of group) {
    if (isAnything(x, p)) return result.anything(i);
    if (x.lo[p] !== x.lo[p]) nan = true;
    else [low, high] = [better(low, x.lo[p]!), better(high, x.hi[p]!)];
  }
  if (nan) result.exactly(i, NaN);
  else result.set(i, low, high);
}

/** Index of the first largest or smallest; NaN wins. */
export function argreduceBounds(x: Bounds, from: Shape, attrs: Attrs): Bounds {
  const all = groups(from, [attrs.axis as number]);
  const result = new Writer(all.length);
  const sign = attrs.how === "max" ? 1 : -1;
  all.forEach((group, i) => {
    // Of those that may be the best: none is surely better than they.
    const list = Array.from(group, (p) => {
      const [a, b] = [sign * x.lo[p]!, sign * x.hi[p]!];
      return a !== a ? [Infinity, Infinity, 1] : [Math.min(a, b), Math.max(a, b), 0];
    }) as [number, number, number][];
    if (Array.from(group).some((p) => isAnything(x, p))) return result.set(i, 0, group.length - 1);
    const nan = list.findIndex((e) => e[2] === 1);
    if (nan >= 0) return result.exactly(i, nan);
    const floor = Math.max(...list.map((e) => e[0]));
    const may = list.map((_, k) => k).filter((k) => list[k]![1] >= floor);
    // An exact one that is as good as any can be keeps later ones out.
    const sure = may.findIndex((k) => list[k]![0] >= Math.max(...may.map((m) => list[m]![1])));
    const candidates = sure >= 0 ? may.slice(0, sure + 1) : may;
    result.set(i, Math.min(...candidates), Math.max(...candidates));
  });
  return result;
}

/** Running sums and maxima of x, and h ← x·h + y, along an axis. */
export function scanBounds(x: Bounds, y: Bounds | undefined, shape: Shape, attrs: Attrs, dtype: DType): Bounds {
  const result = new Writer(x.lo.length);
  for (const group of groups(shape, [attrs.axis as number])) {
    const order = attrs.reverse ? group.toReversed() : group;
    if (attrs.how === "max") {
      order.forEach((p, i) => extremum(result, p, x, order.slice(0, i + 1), true, dtype));
      continue;
    }
    if (y) {
      recurrence(result, x, y, order);
      continue;
    }
    const sum = new Sum();
    for (const p of order) {
      sum.add(x, p);
      sum.store(result, p, !isFloat(dtype));
    }
  }
  return result;
}

/** Each step rounds to f32, and joining steps in another order rounds products of factors, too. */
function recurrence(result: Writer, a: Bounds, b: Bounds, order: Int32Array): void {
  let [low, high, size, known] = [0, 0, 0, true];
  order.forEach((p, i) => {
    const ends = [a.lo[p]! * low, a.lo[p]! * high, a.hi[p]! * low, a.hi[p]! * high];
    const first = i === 0;
    [low, high] = [b.lo[p]! + (first ? 0 : Math.min(...ends)), b.hi[p]! + (first ? 0 : Math.max(...ends))];
    size = Math.max(size, Math.abs(low), Math.abs(high));
    const error = first ? 0 : (size + 1) * (i + 1) * 2 ** -21;
    known &&= Number.isFinite(low) && Number.isFinite(high);
    if (known) result.set(p, low, high, error);
    else result.anything(p);
  });
}

/** Indices in order, where all that is sorted is known exactly. */
export function argsortBounds(x: Bounds, shape: Shape, attrs: Attrs): Bounds {
  const result = new Writer(x.lo.length);
  for (const group of groups(shape, [attrs.axis as number])) {
    const sign = attrs.descending ? -1 : 1;
    const key = (i: number): number => sign * (x.lo[group[i]!] !== x.lo[group[i]!] ? Infinity : x.lo[group[i]!]!);
    const nan = (i: number): number => (x.lo[group[i]!] !== x.lo[group[i]!] ? sign : 0);
    // Small numbers may have been flushed on the way.
    const exact = group.every((p) => isPoint(x, p) && !(x.lo[p] !== 0 && Math.abs(x.lo[p]!) < 2 ** -126));
    const order = Array.from(group, (_, i) => i).toSorted((i, j) => {
      const [a, b] = [key(i), key(j)];
      return a === b ? nan(i) - nan(j) || i - j : a - b;
    });
    group.forEach((p, i) => (exact ? result.exactly(p, order[i]!) : result.anything(p)));
  }
  return result;
}

export interface Indexed {
  readonly x: Bounds;
  readonly index: Bounds;
  readonly shape: Shape;
  /** Number of indices. */
  readonly picks: number;
  readonly axis: number;
}

/** [outer, n, inner] of a shape around an axis. */
function around(shape: Shape, axis: number): readonly [outer: number, n: number, inner: number] {
  return [sizeOf(shape.slice(0, axis)), shape[axis]!, sizeOf(shape.slice(axis + 1))];
}

export function gatherBounds({ x, index, shape, picks, axis }: Indexed): Bounds {
  const [outer, n, inner] = around(shape, axis);
  const result = new Writer(outer * picks * inner);
  for (let at = 0; at < result.lo.length; at++) {
    const [o, k, r] = [Math.floor(at / (picks * inner)), Math.floor(at / inner) % picks, at % inner];
    if (!isPoint(index, k) || index.lo[k]! < 0 || index.lo[k]! >= n) {
      result.anything(at);
      continue;
    }
    const from = (o * n + index.lo[k]!) * inner + r;
    result.lo[at] = x.lo[from]!;
    result.hi[at] = x.hi[from]!;
  }
  return result;
}

export function scatterAddBounds({ x, index, shape, picks, axis }: Indexed, updates: Bounds, dtype: DType): Bounds {
  const [outer, n, inner] = around(shape, axis);
  const sums = Array.from({ length: x.lo.length }, (_, at) => {
    const sum = new Sum();
    sum.add(x, at);
    return sum;
  });
  const loose = Array.from({ length: picks }, (_, k) => k).some((k) => !isPoint(index, k));
  for (let o = 0; o < outer && !loose; o++)
    for (let k = 0; k < picks; k++) {
      const to = index.lo[k]!;
      for (let r = 0; r < inner && to >= 0 && to < n; r++) sums[(o * n + to) * inner + r]!.add(updates, (o * picks + k) * inner + r);
    }
  const result = new Writer(sums.length);
  sums.forEach((sum, at) => (loose ? result.anything(at) : sum.store(result, at, !isFloat(dtype))));
  return result;
}

/** First coordinates of a box [size] in [shape], moved inside; undefined where a start is not known for sure. */
function firstOf(starts: Bounds, shape: Shape, size: Shape, axes: readonly number[]): number[] | undefined {
  const first = shape.map(() => 0);
  for (const [k, axis] of axes.entries()) {
    if (!isPoint(starts, k)) return undefined;
    first[axis] = Math.max(0, Math.min(starts.lo[k]!, shape[axis]! - size[axis]!));
  }
  return first;
}

function unknown(count: number): Bounds {
  const result = new Writer(count);
  for (let i = 0; i < count; i++) result.anything(i);
  return result;
}

export function dynamicSliceBounds(x: Bounds, starts: Bounds, shape: Shape, to: Shape, attrs: Attrs): Bounds {
  const first = firstOf(starts, shape, to, attrs.axes as readonly number[]);
  if (!first) return unknown(sizeOf(to));
  const result = new Writer(sizeOf(to));
  placesOf(to, shape, (at) => at.map((c, i) => first[i]! + c)).forEach((p, i) => {
    result.lo[i] = x.lo[p]!;
    result.hi[i] = x.hi[p]!;
  });
  return result;
}

export function updateBounds(base: Bounds, value: Bounds, starts: Bounds, [shape, size]: readonly Shape[], attrs: Attrs): Bounds {
  const first = firstOf(starts, shape!, size!, attrs.axes as readonly number[]);
  if (!first) return unknown(base.lo.length);
  const result = new Writer(base.lo.length);
  placesOf(shape!, size!, (at) => at.map((c, i) => c - first[i]!)).forEach((p, i) => {
    const [from, k] = p < 0 ? [base, i] : [value, p];
    result.lo[i] = from.lo[k]!;
    result.hi[i] = from.hi[k]!;
  });
  return result;
}
