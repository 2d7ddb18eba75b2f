import { isFloat } from "@weft/tensor-core";
import type { Draw, Generator, Value } from "./draw.js";

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Another shape of as many elements. */
function reshaped(draw: Draw, shape: readonly number[]): number[] {
  const { random } = draw;
  const size = sizeOf(shape);
  if (size === 0) return random.shuffled(shape);
  const result: number[] = [];
  let rest = size;
  for (let rank = random.int(0, 3); rank > 0 && rest > 1; rank--) {
    const factors = Array.from({ length: rest }, (_, i) => i + 1).filter((d) => rest % d === 0);
    const d = random.pick(factors);
    result.push(d);
    rest /= d;
  }
  return random.shuffled([...result, ...(rest > 1 || result.length === 0 ? [rest] : []), ...(random.chance(0.2) ? [1] : [])]);
}

export const reshape: Generator = (draw) => {
  const x = draw.value();
  return draw.call("reshape", x, reshaped(draw, x.shape));
};

export const transpose: Generator = (draw) => {
  const x = draw.value({ rank: [2, 4] });
  return draw.call("transpose", x, draw.random.shuffled(x.shape.map((_, i) => i)));
};

export const broadcast: Generator = (draw) => {
  const x = draw.value({ fits: (v) => sizeOf(v.shape) < draw.most / 4 });
  const shape = x.shape.map((d) => (d === 1 && draw.random.chance(0.8) ? draw.random.int(2, 5) : d));
  return draw.call("broadcastTo", x, draw.random.chance(0.6) && shape.length < 4 ? [draw.random.int(1, 4), ...shape] : shape);
};

export const slice: Generator = (draw) => {
  const { random } = draw;
  const x = draw.value({ rank: [1, 4] });
  const step = x.shape.map(() => (random.chance(0.25) ? random.int(2, 3) : 1));
  const ranges = x.shape.map((d) => {
    if (random.chance(0.35)) return [0, d];
    const start = random.int(0, Math.max(0, d - 1));
    return [start, random.int(Math.min(start + 1, d), d)];
  });
  return draw.call("slice", x, ranges, step);
};

export const flip: Generator = (draw) => {
  const x = draw.value({ rank: [1, 4] });
  const axes = x.shape.map((_, i) => i).filter(() => draw.random.chance(0.6));
  return draw.call("flip", x, axes.length > 0 ? axes : [0]);
};

export const pad: Generator = (draw) => {
  const { random } = draw;
  const x = draw.value({ rank: [1, 4], fits: (v) => sizeOf(v.shape) < draw.most / 4 });
  const amounts = (): number[] => x.shape.map(() => (random.chance(0.5) ? random.int(0, 3) : 0));
  const value = isFloat(x.dtype) ? random.pick([0, 0, 1, -2, 0.5, -Infinity]) : x.dtype === "bool" ? random.int(0, 1) : random.int(0, 3);
  return draw.call("pad", x, amounts(), amounts(), value);
};

/** Like another in all axes but one. */
function beside(draw: Draw, x: Value, axis: number): Value {
  const shape = x.shape.map((d, i) => (i === axis ? draw.random.int(1, 5) : d));
  return draw.shaped(shape, draw.random.chance(0.8) ? { dtype: x.dtype } : {});
}

export const concat: Generator = (draw) => {
  const x = draw.value({ rank: [1, 4], fits: (v) => sizeOf(v.shape) < draw.most / 3 });
  const axis = draw.random.int(0, x.shape.length - 1);
  const others = Array.from({ length: draw.random.int(1, 3) }, () => (draw.random.chance(0.3) ? x : beside(draw, x, axis)));
  return draw.call("concat", draw.random.shuffled([x, ...others]), axis);
};

export const split: Generator = (draw) => {
  const x = draw.value({ rank: [1, 4], fits: (v) => v.shape.some((d) => d > 1) });
  const axis = draw.random.pick(x.shape.map((_, i) => i).filter((i) => x.shape[i]! > 1));
  const first = draw.random.int(1, x.shape[axis]! - 1);
  return draw.call("split", x, [first, x.shape[axis]! - first], axis);
};
