import type { Draw, Generator, Value } from "./draw.js";
import { within } from "./elementwise.js";
import { float } from "./products.js";

const NORM = 1e-5;

/** Rows for a function of the last axis: a value that is there, or a new one. */
const rowsOf = (draw: Draw): Value =>
  within(draw, draw.value({ dtype: "float", tame: true, rank: [1, 3], fits: (v) => !v.shape.includes(0) && v.shape.at(-1)! > 1 }), 30);

export const softmax: Generator = (draw) => draw.call("softmax", rowsOf(draw));
export const rmsNorm: Generator = (draw) => {
  const x = rowsOf(draw);
  return draw.call("rmsNorm", x, float(draw, [x.shape.at(-1)!]), NORM);
};
export const swiglu: Generator = (draw) => {
  const gate = rowsOf(draw);
  return draw.call("swiglu", gate, within(draw, draw.shaped(gate.shape, { dtype: gate.dtype, tame: true }), 30));
};
export const layerNorm: Generator = (draw) => {
  const x = rowsOf(draw);
  const width = x.shape.at(-1)!;
  return draw.call("layerNorm", x, float(draw, [width]), float(draw, [width]), NORM);
};

/** Sizes of heads that attention and rotary embeddings are for. */
function heads(draw: Draw): { batch: number; groups: number; heads: number; length: number; width: number } {
  const { random } = draw;
  const groups = random.int(1, 2);
  return {
    batch: random.int(1, 2),
    groups,
    heads: groups * random.int(1, 3),
    length: draw.large ? random.int(20, 60) : random.int(1, 9),
    width: random.pick([2, 4, 8, 16]),
  };
}

export const attention: Generator = (draw) => {
  const { random } = draw;
  const s = heads(draw);
  const keys = random.chance(0.5) ? s.length : random.int(1, draw.large ? 70 : 12);
  const dtype = random.pick(["f32", "f32", "bf16", "f16"] as const);
  const make = (...shape: number[]): Value => within(draw, draw.shaped(shape, { dtype, tame: true }), 4);
  const q = make(s.batch, s.heads, s.length, s.width);
  const [k, v] = [make(s.batch, s.groups, keys, s.width), make(s.batch, s.groups, keys, random.pick([s.width, 4]))];
  const mask = random.chance(0.4)
    ? draw.shaped([random.pick([1, s.batch]), 1, random.pick([1, s.length]), keys], { dtype: "bool" })
    : undefined;
  return draw.call("attention", q, k, v, { causal: random.chance(0.4), ...(mask && { mask }) });
};

export const rope: Generator = (draw) => {
  const s = heads(draw);
  const rows = draw.random.pick([1, s.batch]);
  const table = (): Value => float(draw, [rows, s.length, s.width]);
  return draw.call("rope", float(draw, [s.batch, s.heads, s.length, s.width]), table(), table());
};

/** x [.., in] with the factors of a low-rank update. */
function lowRank(draw: Draw): { x: Value; width: number; out: number; a: Value; b: Value } {
  const x = draw.value({ dtype: "float", tame: true, rank: [1, 3], fits: (v) => !v.shape.includes(0) });
  const [width, out, r] = [x.shape.at(-1)!, draw.random.pick([1, 3, 4, 8, 17]), draw.random.int(1, 4)];
  const dtype = draw.random.chance(0.6) ? x.dtype : draw.random.pick(["f32", "bf16"] as const);
  const make = (shape: readonly number[]): Value => draw.shaped(shape, { dtype, tame: true });
  return { x, width, out, a: make([r, width]), b: make([out, r]) };
}

export const loraLinear: Generator = (draw) => {
  const { x, width, out, a, b } = lowRank(draw);
  const weight = float(draw, [out, width]);
  const scale = draw.random.pick([1, 2, 0.5]);
  return draw.random.chance(0.4)
    ? draw.call("loraLinear", x, weight, a, b, scale, draw.shaped([out], { dtype: weight.dtype, tame: true }))
    : draw.call("loraLinear", x, weight, a, b, scale);
};

export const mergeLowRank: Generator = (draw) => {
  const { random } = draw;
  const [out, width, r] = [draw.length() || 1, draw.length() || 1, random.int(1, 4)];
  const transposed = random.chance(0.3);
  const weight = float(draw, transposed ? [width, out] : [out, width]);
  const factors = random.pick(["f32", "bf16", "f16"] as const);
  const make = (shape: readonly number[]): Value => draw.shaped(shape, { dtype: factors, tame: true });
  const options = {
    scale: random.pick([1, 0.5, 2]),
    transposed,
    ...(random.chance(0.4) && { deltaDtype: factors }),
    ...(random.chance(0.3) && { dtype: "bf16" }),
  };
  return draw.call("mergeLowRank", weight, make([r, width]), make([out, r]), options);
};

export const dequantize: Generator = (draw) => {
  const [rows, out, width] = [draw.random.int(1, 20), draw.length() || 1, draw.length() || 1];
  return draw.call(
    "int8Linear",
    float(draw, [rows, width]),
    draw.shaped([out, width], { dtype: "i8" }),
    draw.shaped([out], { dtype: "f32", tame: true }),
  );
};

export const multiLora: Generator = (draw) => {
  const { random } = draw;
  const [rows, tokens, width, out] = [random.int(1, 4), random.int(1, 3), random.pick([4, 8, 9]), random.pick([3, 8])];
  const ranks = Array.from({ length: random.int(1, 3) }, () => random.int(1, 4));
  const index = draw.call("sub", draw.leaf([rows], "i32", { below: ranks.length + 1 }), 1)[0]!;
  const dtype = random.pick(["f32", "f32", "bf16"] as const);
  const make = (shape: readonly number[]): Value => draw.shaped(shape, { dtype, tame: true });
  return draw.call(
    "multiLoraOf",
    float(draw, random.chance(0.5) ? [rows, tokens, width] : [rows, width]),
    index,
    ranks.map((r) => make([r, width])),
    ranks.map((r) => make([out, r])),
    ranks.map(() => random.pick([1, 0.5, 2])),
  );
};

export const weightNorm: Generator = (draw) => {
  const [out, width, r] = [draw.length() || 1, draw.length() || 1, draw.random.int(1, 3)];
  return draw.call("weightNorm", float(draw, [out, width]), float(draw, [r, width]), float(draw, [out, r]), 0.5);
};

export const kron: Generator = (draw) => {
  const small = (rank: number): Value =>
    float(
      draw,
      Array.from({ length: rank }, () => draw.random.int(1, 5)),
    );
  return draw.call("kron", small(2), small(draw.random.int(2, 3)));
};

export const kronLinear: Generator = (draw) => {
  const side = (): number => draw.random.int(1, 5);
  const [p, q, r, s] = [side(), side(), side(), side()];
  return draw.call("kronLinear", float(draw, [draw.random.int(1, 6), q * s]), float(draw, [p, q]), float(draw, [r, s]));
};

export const blockRotate: Generator = (draw) => {
  const [n, b] = [draw.random.int(1, 3), draw.random.pick([1, 2, 4, 5])];
  const shared = draw.random.chance(0.3);
  return draw.call("blockRotate", float(draw, [draw.random.int(1, 6), n * b]), float(draw, [shared ? 1 : n, b, b]));
};

/** Skew-symmetric blocks. */
function skew(draw: Draw): Value {
  const b = draw.random.pick([1, 2, 3, 4, 6]);
  const m = draw.call("mul", float(draw, [draw.random.int(1, 3), b, b]), 0.3)[0]!;
  return draw.call("sub", m, draw.call("swapLast", m)[0]!)[0]!;
}

export const cayley: Generator = (draw) => draw.call("cayley", skew(draw));
export const inverse: Generator = (draw) => {
  const q = skew(draw);
  const b = q.shape[1]!;
  const eye = draw.call("cast", draw.call("equal", draw.call("iota", [b, b], 0)[0]!, draw.call("iota", [b, b], 1)[0]!)[0]!, q.dtype)[0]!;
  return draw.call("inverse", draw.call("add", q, eye)[0]!);
};

export const topK: Generator = (draw) => {
  const x = draw.value({ rank: [1, 3], fits: (v) => v.dtype !== "bool" && !v.shape.includes(0) });
  return draw.call("topK", x, draw.random.int(1, Math.min(5, x.shape.at(-1)!)));
};

export const softmaxCrossEntropy: Generator = (draw) => {
  const [n, classes] = [draw.random.int(1, 6), draw.random.int(2, 9)];
  const labels = draw.leaf([n], "i32", { below: classes });
  const logits = within(draw, float(draw, [n, classes]), 20);
  return draw.random.chance(0.4) ? draw.call("softmaxCrossEntropy", logits, labels, 0) : draw.call("softmaxCrossEntropy", logits, labels);
};

const scalar = (draw: Draw, value: number): Value => draw.call("full", [], value, "f32")[0]!;

export const adamwStep: Generator = (draw) => {
  const p = draw.value({ dtype: "f32", tame: true, rank: [0, 3] });
  const like = (): Value => draw.shaped(p.shape, { dtype: "f32", tame: true });
  const step = draw.random.chance(0.5)
    ? scalar(draw, draw.random.int(1, 9))
    : draw.call("cast", draw.leaf([], "i32", "positive"), "f32")[0]!;
  return draw.call(
    "adamwStep",
    { p, g: like(), m: like(), v: draw.call("square", like())[0]!, lr: scalar(draw, 0.01), step },
    {
      beta1: 0.9,
      beta2: 0.99,
      eps: 1e-3,
      weightDecay: draw.random.pick([0, 0.1]),
    },
  );
};

export const sgdStep: Generator = (draw) => {
  const p = draw.value({ dtype: "f32", tame: true, rank: [0, 3] });
  const like = (): Value => draw.shaped(p.shape, { dtype: "f32", tame: true });
  const momentum = draw.random.pick([0, 0.9]);
  const inputs = { p, g: like(), lr: scalar(draw, 0.1), ...(momentum > 0 && { buffer: like() }) };
  return draw.call("sgdStep", inputs, {
    momentum,
    nesterov: momentum > 0 && draw.random.chance(0.5),
    weightDecay: draw.random.pick([0, 0.1]),
  });
};

const several = (draw: Draw): Value[] => Array.from({ length: draw.random.int(1, 3) }, () => draw.value({ dtype: "float", tame: true }));
export const globalNorm: Generator = (draw) => draw.call("globalNorm", several(draw));
export const clipByGlobalNorm: Generator = (draw) => draw.call("clipByGlobalNorm", several(draw), draw.random.pick([0.5, 1, 100]));

export const checkpoint: Generator = (draw) => {
  const x = draw.value({ dtype: "float", tame: true });
  return draw.call("checkpointed", x, draw.shaped(x.shape, { dtype: x.dtype, tame: true }));
};

export const wkv: Generator = (draw) => {
  const { random } = draw;
  const [batch, width, length] = [random.int(1, 2), random.int(1, 6), random.int(1, 9)];
  const make = (...shape: number[]): Value => within(draw, draw.shaped(shape, { dtype: "f32", tame: true }), 4);
  const positive = (...shape: number[]): Value => draw.call("exp", make(...shape))[0]!;
  const decay = draw.call("neg", positive(width))[0]!;
  const state = { numerator: make(batch, width), denominator: positive(batch, width), exponent: make(batch, width) };
  return draw.call("wkv", decay, make(width), make(batch, length, width), make(batch, length, width), state);
};

export const selectiveScan: Generator = (draw) => {
  const { random } = draw;
  const [batch, channels, states] = [random.int(1, 2), random.int(1, 6), random.int(1, 4)];
  const length = draw.large ? random.int(120, 140) : random.int(1, 9);
  const make = (...shape: number[]): Value => within(draw, draw.shaped(shape, { dtype: "f32", tame: true }), 2);
  const positive = (...shape: number[]): Value => draw.call("exp", make(...shape))[0]!;
  return draw.call("selectiveScan", {
    x: make(batch, length, channels),
    delta: positive(batch, length, channels),
    a: draw.call("neg", positive(channels, states))[0]!,
    b: make(batch, length, states),
    c: make(batch, length, states),
    d: make(channels),
    start: make(batch, channels, states),
  });
};
