import { type DType, isFloat, promote } from "./dtype.js";
import { DTypeError, ShapeError } from "./errors.js";
import { makeNode, Tensor, type TensorSpec } from "./graph.js";
import { type Attrs, BINARY, UNARY } from "./plan/plan.js";
import { sameShape, type Shape, sizeOf } from "./shape.js";

/**
 * The primitives: everything that a backend must be able to run. A primitive is three things in three
 * tables of the same keys: its shape and dtype rule (here), its gradient (`gradients.ts`) and its plain
 * implementation (`reference/kernels.ts`). Public functions that check, promote and broadcast lie in `ops/`.
 *
 * To add one: a row here, a row in the two other tables, a public function in `ops/`, cases in `testing/cases/primitives/`.
 */
export interface Primitive {
  readonly group:
    | "leaf"
    | "unary"
    | "binary"
    | "select"
    | "reduce"
    | "matmul"
    | "conv"
    | "movement"
    | "index"
    | "scan"
    | "random"
    | "control";
  readonly meaning: string;
  /** The result's shape and dtype. Inputs are already promoted and broadcast where the primitive asks for it. @throws ShapeError, DTypeError */
  readonly infer: (inputs: readonly TensorSpec[], attrs: Attrs) => TensorSpec;
}

const COMPARISONS = new Set(["eq", "ne", "lt", "le", "and", "or"]);
const numbers = (attrs: Attrs, key: string): readonly number[] => attrs[key] as readonly number[];
const same = (inputs: readonly TensorSpec[]): TensorSpec => inputs[0]!;
const reshaped = (input: TensorSpec, shape: Shape): TensorSpec => ({ shape, dtype: input.dtype });

function unary(name: string): Primitive {
  return { group: "unary", meaning: `${name}(x), elementwise`, infer: ([x]) => (name === "not" ? { shape: x!.shape, dtype: "bool" } : x!) };
}

function binary(name: string): Primitive {
  return {
    group: "binary",
    meaning: `${name}(a, b), elementwise, equal shapes and dtypes`,
    infer: ([a, b]) => {
      if (!sameShape(a!.shape, b!.shape)) throw new ShapeError(`${name}: shapes [${a!.shape}] and [${b!.shape}] differ`);
      if (a!.dtype !== b!.dtype) throw new DTypeError(`${name}: dtypes ${a!.dtype} and ${b!.dtype} differ`);
      return COMPARISONS.has(name) ? { shape: a!.shape, dtype: "bool" } : a!;
    },
  };
}

function inferMatmul([a, b]: readonly TensorSpec[]): TensorSpec {
  const [x, y] = [a!, b!];
  const rank = x.shape.length;
  const fits =
    rank >= 2 &&
    rank === y.shape.length &&
    x.shape[rank - 1] === y.shape[rank - 2] &&
    sameShape(x.shape.slice(0, -2), y.shape.slice(0, -2));
  if (!fits) throw new ShapeError(`matmul: shapes [${x.shape}] and [${y.shape}] do not fit; expected […, M, K] and […, K, N]`);
  if (!isFloat(x.dtype) || !isFloat(y.dtype)) throw new DTypeError(`matmul: expected floats, got ${x.dtype} and ${y.dtype}`);
  return { shape: [...x.shape.slice(0, -1), y.shape[rank - 1]!], dtype: promote(x.dtype, y.dtype) };
}

function inferConv([x, w]: readonly TensorSpec[], attrs: Attrs): TensorSpec {
  const spatial = x!.shape.length - 2;
  const groups = attrs.groups as number;
  const [channels, outChannels] = [x!.shape[1]!, w!.shape[0]!];
  if (spatial < 1 || w!.shape.length !== x!.shape.length || w!.shape[1]! * groups !== channels || outChannels % groups !== 0) {
    throw new ShapeError(
      `conv: input [${x!.shape}] and weight [${w!.shape}] do not fit with groups ${groups}; expected [N, C, …] and [O, C/groups, …]`,
    );
  }
  const size = Array.from({ length: spatial }, (_, i) => {
    const [low, high] = (attrs.padding as readonly (readonly number[])[])[i]!;
    const dilated = (x!.shape[i + 2]! - 1) * numbers(attrs, "inputDilation")[i]! + 1;
    const kernel = (w!.shape[i + 2]! - 1) * numbers(attrs, "dilation")[i]! + 1;
    return Math.floor((dilated + low! + high! - kernel) / numbers(attrs, "stride")[i]!) + 1;
  });
  if (size.some((d) => d < 1))
    throw new ShapeError(`conv: kernel [${w!.shape.slice(2)}] is larger than the padded input [${x!.shape.slice(2)}]`);
  return { shape: [x!.shape[0]!, outChannels, ...size], dtype: promote(x!.dtype, w!.dtype) };
}

function inferReshape([x]: readonly TensorSpec[], attrs: Attrs): TensorSpec {
  const shape = numbers(attrs, "shape");
  if (sizeOf(shape) !== sizeOf(x!.shape))
    throw new ShapeError(`reshape: [${x!.shape}] has ${sizeOf(x!.shape)} elements, [${shape}] has ${sizeOf(shape)}`);
  return reshaped(x!, shape);
}

function inferBroadcast([x]: readonly TensorSpec[], attrs: Attrs): TensorSpec {
  const shape = numbers(attrs, "shape");
  if (shape.length !== x!.shape.length || shape.some((d, i) => x!.shape[i] !== d && x!.shape[i] !== 1))
    throw new ShapeError(`broadcast: [${x!.shape}] does not broadcast to [${shape}]`);
  return reshaped(x!, shape);
}

function inferSlice([x]: readonly TensorSpec[], attrs: Attrs): TensorSpec {
  const [start, size, step] = [numbers(attrs, "start"), numbers(attrs, "size"), numbers(attrs, "step")];
  x!.shape.forEach((d, i) => {
    if (start[i]! < 0 || size[i]! < 0 || step[i]! < 1 || (size[i]! > 0 && start[i]! + (size[i]! - 1) * step[i]! >= d)) {
      throw new ShapeError(`slice: axis ${i} has ${d} elements; start ${start[i]}, size ${size[i]}, step ${step[i]} leaves it`);
    }
  });
  return reshaped(x!, size);
}

function inferConcat(inputs: readonly TensorSpec[], attrs: Attrs): TensorSpec {
  const axis = attrs.axis as number;
  const [first] = inputs;
  for (const { shape, dtype } of inputs) {
    if (dtype !== first!.dtype || shape.length !== first!.shape.length || shape.some((d, i) => i !== axis && d !== first!.shape[i])) {
      throw new ShapeError(`concat: ${dtype}[${shape}] does not fit ${first!.dtype}[${first!.shape}] along axis ${axis}`);
    }
  }
  return reshaped(
    first!,
    first!.shape.map((d, i) => (i === axis ? inputs.reduce((sum, x) => sum + x.shape[i]!, 0) : d)),
  );
}

function inferGather([x, index]: readonly TensorSpec[], attrs: Attrs): TensorSpec {
  const axis = attrs.axis as number;
  if (isFloat(index!.dtype)) throw new DTypeError(`gather: indices must be integers, got ${index!.dtype}`);
  return reshaped(x!, [...x!.shape.slice(0, axis), ...index!.shape, ...x!.shape.slice(axis + 1)]);
}

function inferScatterAdd(inputs: readonly TensorSpec[], attrs: Attrs): TensorSpec {
  const [base, index, updates] = inputs;
  const expected = inferGather([base!, index!], attrs).shape;
  if (!sameShape(updates!.shape, expected)) throw new ShapeError(`scatterAdd: updates are [${updates!.shape}], expected [${expected}]`);
  if (updates!.dtype !== base!.dtype) throw new DTypeError(`scatterAdd: updates are ${updates!.dtype}, base is ${base!.dtype}`);
  return base!;
}

const without = (shape: Shape, axes: readonly number[]): number[] => shape.filter((_, i) => !axes.includes(i));

export const PRIMITIVES: Readonly<Record<string, Primitive>> = {
  full: { group: "leaf", meaning: "one value everywhere", infer: (_, a) => ({ shape: numbers(a, "shape"), dtype: a.dtype as DType }) },
  iota: { group: "leaf", meaning: "the position along an axis, i32", infer: (_, a) => ({ shape: numbers(a, "shape"), dtype: "i32" }) },
  ...Object.fromEntries(UNARY.map((name) => [name, unary(name)])),
  ...Object.fromEntries(BINARY.map((name) => [name, binary(name)])),
  cast: {
    group: "unary",
    meaning: "another dtype, rounded to nearest even",
    infer: ([x], a) => ({ shape: x!.shape, dtype: a.dtype as DType }),
  },
  where: {
    group: "select",
    meaning: "condition ? a : b",
    infer: ([c, a, b]) => {
      if (c!.dtype !== "bool" || a!.dtype !== b!.dtype)
        throw new DTypeError(`where: expected bool and two equal dtypes, got ${c!.dtype}, ${a!.dtype}, ${b!.dtype}`);
      if (!sameShape(c!.shape, a!.shape) || !sameShape(a!.shape, b!.shape))
        throw new ShapeError(`where: shapes [${c!.shape}], [${a!.shape}], [${b!.shape}] differ`);
      return a!;
    },
  },
  reduce: {
    group: "reduce",
    meaning: "sum, prod, max or min over axes, which disappear",
    infer: ([x], a) => reshaped(x!, without(x!.shape, numbers(a, "axes"))),
  },
  argreduce: {
    group: "reduce",
    meaning: "index (i32) of the first max or min along an axis",
    infer: ([x], a) => ({ shape: without(x!.shape, [a.axis as number]), dtype: "i32" }),
  },
  matmul: { group: "matmul", meaning: "[…, M, K] · […, K, N], f32 accumulation; the two float dtypes may differ", infer: inferMatmul },
  conv: {
    group: "conv",
    meaning: "cross-correlation [N, C, *S] * [O, C/groups, *K] with stride, padding (may be negative), dilation, input dilation, groups",
    infer: inferConv,
  },
  reshape: { group: "movement", meaning: "same elements in row-major order, other shape", infer: inferReshape },
  transpose: {
    group: "movement",
    meaning: "axes in another order",
    infer: ([x], a) =>
      reshaped(
        x!,
        numbers(a, "axes").map((i) => x!.shape[i]!),
      ),
  },
  broadcast: { group: "movement", meaning: "axes of length 1 repeated", infer: inferBroadcast },
  slice: { group: "movement", meaning: "start, size, step per axis", infer: inferSlice },
  flip: { group: "movement", meaning: "axes reversed", infer: same },
  pad: {
    group: "movement",
    meaning: "a constant before and after each axis",
    infer: ([x], a) =>
      reshaped(
        x!,
        x!.shape.map((d, i) => d + numbers(a, "low")[i]! + numbers(a, "high")[i]!),
      ),
  },
  concat: { group: "movement", meaning: "joined along an axis", infer: inferConcat },
  gather: { group: "index", meaning: "x[…, index, …] along an axis (embedding look-up)", infer: inferGather },
  scatterAdd: {
    group: "index",
    meaning: "base with updates added at index along an axis; repeated indices add up",
    infer: inferScatterAdd,
  },
  cumsum: { group: "scan", meaning: "running sum along an axis, optionally from the end", infer: same },
  random: {
    group: "random",
    meaning: "32 random bits each from a key (i32[2]) by counter (Threefry-2x32)",
    infer: (_, a) => ({ shape: numbers(a, "shape"), dtype: "i32" }),
  },
  stopGradient: { group: "control", meaning: "identity without gradient", infer: same },
  barrier: { group: "control", meaning: "identity that is computed only after its second input", infer: same },
};

/** Adds a call of a primitive to the graph. */
export function applyPrimitive(name: string, inputs: readonly Tensor[], attrs: Attrs = {}): Tensor {
  // A plain copy: a rule may answer with one of its inputs, which must neither be kept alive nor asked through.
  const { shape, dtype } = PRIMITIVES[name]!.infer(inputs, attrs);
  return new Tensor(makeNode(name, inputs, attrs, [{ shape, dtype }]));
}
