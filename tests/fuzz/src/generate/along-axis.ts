import { isFloat } from "@weft/tensor-core";
import type { Draw, Generator, Value } from "./draw.js";

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const axisOf = (draw: Draw, v: Value): number => draw.random.int(0, v.shape.length - 1);

export const reduce: Generator = (draw) => {
  const { random } = draw;
  const how = random.pick(["sum", "sum", "max", "min", "prod", "mean", "logSumExp", "norm"]);
  const tame = how === "prod" || how === "logSumExp" || how === "norm";
  const x = draw.value(tame ? { dtype: "float", tame: true } : { rank: [1, 4] });
  const axes = x.shape.map((_, i) => i).filter(() => random.chance(0.5));
  const options = { ...(random.chance(0.8) && axes.length > 0 && { axes }), keepDims: random.chance(0.3) };
  return draw.call(how, how === "logSumExp" && (x.high > 60 || x.low < -60) ? draw.call("tanh", x)[0]! : x, options);
};

export const argreduce: Generator = (draw) => {
  const x = draw.value({ rank: [1, 4], fits: (v) => !v.shape.includes(0) });
  return draw.call(draw.random.pick(["argmax", "argmin"]), x, axisOf(draw, x));
};

export const scan: Generator = (draw) => {
  const how = draw.random.pick(["cumsum", "cumsum", "cummax", "linearScan"]);
  if (how !== "linearScan") {
    const x = draw.value({ rank: [1, 4], fits: (v) => v.dtype !== "bool" });
    return draw.call(how, x, axisOf(draw, x), draw.random.chance(0.4));
  }
  const b = draw.value({ dtype: "float", rank: [1, 4], tame: true });
  const a = draw.call("tanh", draw.shaped(b.shape, { dtype: b.dtype, tame: true }))[0]!;
  return draw.call(how, a, b, axisOf(draw, b), draw.random.chance(0.4));
};

export const argsort: Generator = (draw) => {
  const x = draw.value({ rank: [1, 4] });
  return draw.call(draw.random.pick(["argsort", "sort"]), x, axisOf(draw, x), { descending: draw.random.chance(0.5) });
};

/** Whole numbers below `n`, of any shape. */
function indices(draw: Draw, n: number, rank: number): Value {
  const dtype = n <= 127 ? draw.random.pick(["i32", "i32", "u8", "i8"] as const) : "i32";
  const shape = Array.from({ length: rank }, () => draw.random.pick([1, 2, 3, 5]));
  const known = draw.values.filter(
    (v) => !isFloat(v.dtype) && v.shape.length === rank && v.low >= 0 && v.high < n && sizeOf(v.shape) <= 30 && v.shape.length > 0,
  );
  return known.length > 0 && draw.random.chance(0.3) ? draw.random.pick(known) : draw.leaf(shape, dtype, { below: n });
}

export const gather: Generator = (draw) => {
  const x = draw.value({ rank: [1, 3], fits: (v) => !v.shape.includes(0) && sizeOf(v.shape) < draw.most });
  const axis = axisOf(draw, x);
  return draw.call("gather", x, indices(draw, x.shape[axis]!, draw.random.int(0, 2)), axis);
};

export const lookup: Generator = (draw) => {
  const x = draw.value({ rank: [1, 3], fits: (v) => !v.shape.includes(0) && sizeOf(v.shape) < draw.most });
  const [table] = draw.call("reshape", x, [-1]) as [Value];
  return draw.call("lookup", table, indices(draw, sizeOf(x.shape), draw.random.int(0, 3)));
};

export const scatterAdd: Generator = (draw) => {
  const base = draw.value({ rank: [1, 3], fits: (v) => v.dtype !== "bool" && !v.shape.includes(0) });
  const axis = axisOf(draw, base);
  const index = indices(draw, base.shape[axis]!, draw.random.int(0, 2));
  const shape = [...base.shape.slice(0, axis), ...index.shape, ...base.shape.slice(axis + 1)];
  return draw.call("scatterAdd", base, index, draw.shaped(shape, { dtype: base.dtype }), axis);
};

/** Starts of a box, in range and beyond it. */
const starts = (draw: Draw, x: Value, axes: readonly number[]): Value =>
  draw.call("sub", draw.leaf([axes.length], "i32", { below: Math.max(...axes.map((axis) => x.shape[axis]!)) + 4 }), 2)[0]!;

/** Some axes of a value, at least one, and lengths of a box along them. */
function boxOf(draw: Draw, x: Value): { axes: number[]; size: number[] } {
  const axes = x.shape.map((_, i) => i).filter(() => draw.random.chance(0.5));
  if (axes.length === 0) axes.push(axisOf(draw, x));
  return { axes, size: axes.map((axis) => draw.random.int(Math.min(1, x.shape[axis]!), x.shape[axis]!)) };
}

export const dynamicSlice: Generator = (draw) => {
  const x = draw.value({ rank: [1, 4] });
  const { axes, size } = boxOf(draw, x);
  return draw.call("dynamicSlice", x, starts(draw, x, axes), size, axes);
};

export const update: Generator = (draw) => {
  const base = draw.value({ rank: [1, 4] });
  const { axes, size } = boxOf(draw, base);
  const shape = base.shape.map((d, i) => (axes.includes(i) ? size[axes.indexOf(i)]! : d));
  return draw.call("update", base, draw.shaped(shape, { dtype: base.dtype }), starts(draw, base, axes), axes);
};
