import type { Tensor } from "./graph.js";
import { convGradients } from "./gradients/conv.js";
import * as o from "./ops/index.js";

/**
 * Gradient rules of the primitives: given the call and dy (the gradient of a scalar with respect to its
 * result), the gradients with respect to its inputs; undefined where there is none. Rules build graph like
 * any other code, so gradients of gradients follow.
 */
export type GradientRule = (
  call: { inputs: readonly Tensor[]; output: Tensor; attrs: Tensor["node"]["attrs"] },
  dy: Tensor,
) => readonly (Tensor | undefined)[];

const none: GradientRule = ({ inputs }) => inputs.map(() => undefined);

/** Rules of y = f(x): dx = dy · f'(x). */
function unary(derivative: (x: Tensor, y: Tensor) => Tensor): GradientRule {
  return ({ inputs: [x], output }, dy) => [o.mul(dy, derivative(x!, output))];
}

const zeroLike = (x: Tensor): Tensor => o.zeros(x.shape, x.dtype);
/** dy where the condition holds, elsewhere 0. */
const gate = (condition: Tensor, dy: Tensor): Tensor => o.where(condition, dy, zeroLike(dy));

/** max and min: the gradient goes to the chosen side, half to each at a tie (as torch). */
function extremum(wins: (a: Tensor, b: Tensor) => Tensor): GradientRule {
  return ({ inputs: [a, b] }, dy) => {
    const tie = o.mul(gate(o.equal(a!, b!), dy), 0.5);
    return [o.add(gate(wins(a!, b!), dy), tie), o.add(gate(wins(b!, a!), dy), tie)];
  };
}

/** dy of a reduction, brought back to the shape of its input. */
function unreduce(x: Tensor, axes: readonly number[], dy: Tensor): Tensor {
  return o.broadcastTo(
    o.reshape(
      dy,
      x.shape.map((d, i) => (axes.includes(i) ? 1 : d)),
    ),
    x.shape,
  );
}

/** The product of all other elements along the axes. With one zero it is 0 but for the zero itself; with more it is 0 everywhere. */
function otherFactors(x: Tensor, axes: readonly number[]): Tensor {
  const along = { axes, keepDims: true };
  const zero = o.equal(x, 0);
  const zeros = o.broadcastTo(o.sum(zero, along), x.shape);
  const rest = o.broadcastTo(o.prod(o.where(zero, 1, x), along), x.shape);
  return o.where(zero, o.where(o.equal(zeros, 1), rest, zeroLike(x)), o.where(o.equal(zeros, 0), o.div(rest, x), zeroLike(x)));
}

const reduce: GradientRule = ({ inputs: [x], output, attrs }, dy) => {
  const axes = attrs.axes as readonly number[];
  const spread = unreduce(x!, axes, dy);
  if (attrs.how === "sum") return [spread];
  const value = unreduce(x!, axes, output);
  if (attrs.how === "prod") return [o.mul(spread, otherFactors(x!, axes))];
  // max, min: shared equally among ties, as torch's amax and amin.
  const chosen = o.cast(o.equal(x!, value), x!.dtype);
  return [o.div(o.mul(spread, chosen), o.broadcastTo(o.sum(chosen, { axes, keepDims: true }), x!.shape))];
};

const matmul: GradientRule = ({ inputs: [a, b] }, dy) => [
  o.cast(o.matmul(dy, o.swapLast(b!)), a!.dtype),
  o.cast(o.matmul(o.swapLast(a!), dy), b!.dtype),
];

const slice: GradientRule = ({ inputs: [x], attrs }, dy) => {
  const [start, step] = [attrs.start as number[], attrs.step as number[]];
  let grown = dy;
  step.forEach((s, axis) => {
    if (s === 1) return;
    // Zeros between the elements: [n] → [n, s] → [n·s], then cut to (n-1)·s+1.
    const n = grown.shape[axis]!;
    const wide = o.reshape(grown, [...grown.shape.slice(0, axis + 1), 1, ...grown.shape.slice(axis + 1)]);
    const padded = o.pad(
      wide,
      wide.shape.map(() => 0),
      wide.shape.map((_, i) => (i === axis + 1 ? s - 1 : 0)),
    );
    const flat = o.reshape(
      padded,
      grown.shape.map((d, i) => (i === axis ? d * s : d)),
    );
    grown = o.slice(
      flat,
      flat.shape.map((_, i) => (i === axis ? [0, (n - 1) * s + 1] : undefined)),
    );
  });
  return [
    o.pad(
      grown,
      start,
      x!.shape.map((d, i) => d - start[i]! - grown.shape[i]!),
    ),
  ];
};

const concat: GradientRule = ({ inputs, attrs }, dy) =>
  o.split(
    dy,
    inputs.map((x) => x.shape[attrs.axis as number]!),
    attrs.axis as number,
  );

const gather: GradientRule = ({ inputs: [x, index], attrs }, dy) => [
  o.scatterAdd(zeroLike(x!), index!, dy, attrs.axis as number),
  undefined,
];

const broadcast: GradientRule = ({ inputs: [x] }, dy) => {
  const axes = dy.shape.map((_, i) => i).filter((i) => x!.shape[i] !== dy.shape[i]);
  return [o.sum(dy, { axes, keepDims: true })];
};

export const GRADIENTS: Readonly<Record<string, GradientRule>> = {
  full: none,
  iota: none,
  neg: (_, dy) => [o.neg(dy)],
  abs: unary((x) => o.sign(x)),
  sign: none,
  exp: unary((_, y) => y),
  log: unary((x) => o.reciprocal(x)),
  sin: unary((x) => o.cos(x)),
  cos: unary((x) => o.neg(o.sin(x))),
  tanh: unary((_, y) => o.sub(1, o.square(y))),
  erf: unary((x) => o.mul(o.exp(o.neg(o.square(x))), 2 / Math.sqrt(Math.PI))),
  sqrt: unary((_, y) => o.div(0.5, y)),
  rsqrt: unary((x, y) => o.mul(o.div(y, x), -0.5)),
  reciprocal: unary((_, y) => o.neg(o.square(y))),
  floor: none,
  ceil: none,
  round: none,
  not: none,
  add: (_, dy) => [dy, dy],
  sub: (_, dy) => [dy, o.neg(dy)],
  mul: ({ inputs: [a, b] }, dy) => [o.mul(dy, b!), o.mul(dy, a!)],
  div: ({ inputs: [, b], output }, dy) => {
    const da = o.div(dy, b!);
    return [da, o.neg(o.mul(da, output))];
  },
  // a^b for b = 0 has derivative 0 even at a = 0; log a is taken only where a > 0.
  pow: ({ inputs: [a, b], output }, dy) => {
    const da = o.where(o.equal(b!, 0), zeroLike(a!), o.mul(b!, o.pow(a!, o.sub(b!, 1))));
    const positive = o.greater(a!, 0);
    const db = o.where(positive, o.mul(output, o.log(o.where(positive, a!, 1))), zeroLike(b!));
    return [o.mul(dy, da), o.mul(dy, db)];
  },
  mod: ({ inputs: [a, b] }, dy) => [dy, o.neg(o.mul(dy, o.floor(o.div(a!, b!))))],
  max: extremum(o.greater),
  min: extremum(o.less),
  eq: none,
  ne: none,
  lt: none,
  le: none,
  and: none,
  or: none,
  cast: ({ inputs: [x] }, dy) => [o.cast(dy, x!.dtype)],
  where: ({ inputs: [c] }, dy) => [undefined, gate(c!, dy), o.where(c!, zeroLike(dy), dy)],
  reduce,
  argreduce: none,
  matmul,
  conv: convGradients,
  reshape: ({ inputs: [x] }, dy) => [o.reshape(dy, x!.shape)],
  transpose: ({ attrs }, dy) => {
    const axes = attrs.axes as readonly number[];
    return [
      o.transpose(
        dy,
        axes.map((_, i) => axes.indexOf(i)),
      ),
    ];
  },
  broadcast,
  slice,
  flip: ({ attrs }, dy) => [o.flip(dy, attrs.axes as readonly number[])],
  pad: ({ inputs: [x], attrs }, dy) => {
    const low = attrs.low as readonly number[];
    return [
      o.slice(
        dy,
        x!.shape.map((d, i) => [low[i]!, low[i]! + d]),
      ),
    ];
  },
  concat,
  gather,
  scatterAdd: ({ inputs: [, index], attrs }, dy) => [dy, undefined, o.gather(dy, index!, attrs.axis as number)],
  cumsum: ({ attrs }, dy) => [o.cumsum(dy, attrs.axis as number, !attrs.reverse)],
  random: none,
  stopGradient: none,
  barrier: (_, dy) => [dy, undefined],
};
