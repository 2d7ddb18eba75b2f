import type { Draw, Generator, Value } from "./draw.js";

const UNARY_NAMES: Readonly<Record<string, string>> = { not: "logicalNot" };
const BINARY_NAMES: Readonly<Record<string, string>> = {
  max: "maximum",
  min: "minimum",
  eq: "equal",
  ne: "notEqual",
  lt: "less",
  le: "lessEqual",
  and: "logicalAnd",
  or: "logicalOr",
};

/** A value whose elements are all above 0, made so if need be. */
function positive(draw: Draw, v: Value): Value {
  return v.low > 0 ? v : draw.call("add", draw.call("abs", v)[0]!, 0.3)[0]!;
}

/** A value whose elements lie within ±limit, made so if need be. */
export function within(draw: Draw, v: Value, limit: number): Value {
  return Math.max(Math.abs(v.low), Math.abs(v.high)) <= limit ? v : draw.call("mul", draw.call("tanh", v)[0]!, limit)[0]!;
}

/** Functions of one tensor; some need arguments of which the result is a number. */
export function unaryGenerator(op: string): Generator {
  const name = UNARY_NAMES[op] ?? op;
  return (draw) => {
    // Specials go into every function now and then.
    const raw = draw.random.chance(0.05);
    switch (op) {
      case "log":
      case "sqrt":
      case "rsqrt":
      case "reciprocal":
        return draw.call(name, raw ? draw.value({ dtype: "float" }) : positive(draw, draw.value({ dtype: "float", tame: true })));
      case "exp":
        return draw.call(name, raw ? draw.value({ dtype: "float" }) : within(draw, draw.value({ dtype: "float", tame: true }), 12));
      case "sin":
      case "cos":
        return draw.call(name, within(draw, draw.value({ dtype: "float", tame: true }), 300));
      default:
        return draw.call(name, draw.value());
    }
  };
}

/** A partner that broadcasts to a shape, or with it: the same shape, some axes 1, some leading axes left out; or a number. */
function partner(draw: Draw, v: Value, dtype?: Value["dtype"]): Value | number {
  const { random } = draw;
  if (random.chance(0.12)) return random.pick([0, 1, 2, -1, 3, 0.5, -1.5, 7]);
  const shape = v.shape.slice(random.chance(0.3) ? random.int(0, v.shape.length) : 0).map((d) => (random.chance(0.2) ? 1 : d));
  return draw.shaped(shape, dtype === undefined ? {} : { dtype });
}

const BITS = new Set(["bitAnd", "bitOr", "bitXor", "shiftLeft", "shiftRight"]);

export function binaryGenerator(op: string): Generator {
  const name = BINARY_NAMES[op] ?? op;
  return (draw) => {
    if (BITS.has(op)) {
      const a = draw.value({ dtype: "integer" });
      const shifts = op.startsWith("shift");
      // Counts in range, beyond it, and below.
      const count = draw.random.chance(0.5) ? draw.random.int(-2, 33) : draw.shaped(a.shape, { dtype: "i8", content: { below: 36 } });
      return draw.call(name, a, shifts ? count : draw.shaped(a.shape, { dtype: draw.random.pick(["i32", "i8", "u8"]) }));
    }
    if (op === "pow") {
      const base = positive(draw, within(draw, draw.value({ dtype: "float", tame: true }), 8));
      const exponent = draw.random.chance(0.5)
        ? draw.random.pick([0.5, 2, 3, -1, 1.5])
        : within(draw, draw.shaped(base.shape, { dtype: "float", tame: true }), 3);
      return draw.call(name, base, exponent);
    }
    const a = draw.value();
    const b = op === "and" || op === "or" ? draw.shaped(a.shape) : partner(draw, a, draw.random.chance(0.7) ? a.dtype : undefined);
    if ((op === "div" || op === "mod") && typeof b !== "number" && !draw.random.chance(0.1)) {
      const safe = b.low > 0 ? b : draw.call("add", draw.call("abs", b)[0]!, 1)[0]!;
      return draw.call(name, a, safe);
    }
    return draw.random.chance(0.3) && op !== "div" && op !== "mod" ? draw.call(name, b, a) : draw.call(name, a, b);
  };
}

export const where: Generator = (draw) => {
  const condition = draw.value({ dtype: "bool" });
  const a = draw.shaped(condition.shape);
  return draw.call("where", condition, a, partner(draw, a, draw.random.chance(0.7) ? a.dtype : undefined));
};

const TARGETS = ["f32", "f16", "bf16", "f8e4m3", "f8e5m2", "i32", "i8", "u8", "bool"] as const;
const INTEGER_RANGE: Readonly<Record<string, readonly [number, number]>> = { i32: [-2e9, 2e9], i8: [-127, 127], u8: [0, 255] };

export const cast: Generator = (draw) => {
  const x = draw.value();
  const targets = TARGETS.filter((t) => {
    const range = INTEGER_RANGE[t];
    return t !== x.dtype && (!range || (x.tame && x.low >= range[0] && x.high <= range[1]));
  });
  return draw.call("cast", x, draw.random.pick(targets));
};

/** Dtypes that the bits of each can be read as. */
const SAME_WIDTH: readonly (readonly string[])[] = [
  ["f32", "i32"],
  ["f16", "bf16", "i32"],
  ["i8", "u8", "f8e4m3", "f8e5m2"],
];

export const bitcast: Generator = (draw) => {
  const x = draw.value({ fits: (v) => v.dtype !== "bool" });
  const targets = SAME_WIDTH.filter((list) => list.includes(x.dtype)).flatMap((list) => list.filter((t) => t !== x.dtype));
  return draw.call("bitcast", x, draw.random.pick(targets));
};

export const barrier: Generator = (draw) => draw.call("barrier", draw.value(), draw.value());
export const stopGradient: Generator = (draw) => draw.call("stopGradient", draw.value());

/** Chains that models are full of. */
export const activation: Generator = (draw) => {
  const x = within(draw, draw.value({ dtype: "float", tame: true }), 20);
  return draw.call(draw.random.pick(["silu", "gelu", "relu", "sigmoid", "square"]), x);
};
