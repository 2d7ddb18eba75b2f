import { ShapeError } from "../errors.js";
import type { Attrs, Operand } from "../plan/plan.js";
import { contiguousStrides, sizeOf } from "../shape.js";
import { convolve } from "./conv.js";
import { threefry } from "./threefry.js";
import { type Memory, readOperand, writeOperand } from "./views.js";

/** A plain implementation of one primitive: values of the inputs (row-major f64) to values of the result. */
export type ReferenceKernel = (
  inputs: readonly ReferenceInput[],
  attrs: Attrs,
  output: { readonly shape: readonly number[] },
) => ArrayLike<number>;

export interface ReferenceInput {
  readonly values: Float64Array;
  readonly shape: readonly number[];
}

const product = sizeOf;

/** Splits an index space around `axis`: [outer, n, inner]. */
function around(shape: readonly number[], axis: number): [outer: number, n: number, inner: number] {
  return [product(shape.slice(0, axis)), shape[axis]!, product(shape.slice(axis + 1))];
}

const matmul: ReferenceKernel = ([a, b], _, out) => {
  const [m, n] = out.shape.slice(-2) as [number, number];
  const k = a!.shape[a!.shape.length - 1]!;
  const result = new Float64Array(product(out.shape));
  for (let batch = 0; batch < result.length / (m * n || 1); batch++) {
    for (let i = 0; i < m; i++) {
      for (let p = 0; p < k; p++) {
        const x = a!.values[(batch * m + i) * k + p]!;
        for (let j = 0; j < n; j++) result[(batch * m + i) * n + j]! += x * b!.values[(batch * k + p) * n + j]!;
      }
    }
  }
  return result;
};

const argreduce: ReferenceKernel = ([x], attrs, out) => {
  const [, n, inner] = around(x!.shape, attrs.axis as number);
  const sign = attrs.how === "max" ? 1 : -1;
  return Float64Array.from({ length: product(out.shape) }, (_, at) => {
    const base = Math.floor(at / inner) * n * inner + (at % inner);
    const score = (i: number): number => sign * x!.values[base + i * inner]!;
    let best = 0;
    // NaN wins, as in max and min.
    for (let i = 1; i < n; i++) if (score(i) > score(best) || (Number.isNaN(score(i)) && !Number.isNaN(score(best)))) best = i;
    return best;
  });
};

const pad: ReferenceKernel = ([x], attrs, out) => {
  const low = attrs.low as number[];
  const result = new Float64Array(product(out.shape)).fill(attrs.value as number);
  const from = contiguousStrides(x!.shape);
  const to = contiguousStrides(out.shape);
  x!.values.forEach((v, at) => {
    let target = 0;
    for (let axis = 0; axis < from.length; axis++) target += ((Math.floor(at / from[axis]!) % x!.shape[axis]!) + low[axis]!) * to[axis]!;
    result[target] = v;
  });
  return result;
};

const concat: ReferenceKernel = (inputs, attrs, out) => {
  const axis = attrs.axis as number;
  const [outer, total, inner] = around(out.shape, axis);
  const result = new Float64Array(product(out.shape));
  let start = 0;
  for (const { values, shape } of inputs) {
    const length = shape[axis]! * inner;
    for (let o = 0; o < outer; o++) result.set(values.subarray(o * length, (o + 1) * length), (o * total + start) * inner);
    start += shape[axis]!;
  }
  return result;
};

function checkIndex(op: string, i: number, n: number): number {
  if (i < 0 || i >= n) throw new ShapeError(`${op}: index ${i} is outside an axis of ${n} elements`);
  return i;
}

const gather: ReferenceKernel = ([x, index], attrs) => {
  const [outer, n, inner] = around(x!.shape, attrs.axis as number);
  const result = new Float64Array(outer * index!.values.length * inner);
  let at = 0;
  for (let o = 0; o < outer; o++) {
    for (const i of index!.values) {
      const from = (o * n + checkIndex("gather", i, n)) * inner;
      result.set(x!.values.subarray(from, from + inner), at);
      at += inner;
    }
  }
  return result;
};

const scatterAdd: ReferenceKernel = ([base, index, updates], attrs) => {
  const [outer, n, inner] = around(base!.shape, attrs.axis as number);
  const result = base!.values.slice();
  let at = 0;
  for (let o = 0; o < outer; o++) {
    for (const i of index!.values) {
      const to = (o * n + checkIndex("scatterAdd", i, n)) * inner;
      for (let k = 0; k < inner; k++) result[to + k]! += updates!.values[at++]!;
    }
  }
  return result;
};

const cumsum: ReferenceKernel = ([x], attrs) => {
  const [outer, n, inner] = around(x!.shape, attrs.axis as number);
  const result = x!.values.slice();
  for (let o = 0; o < outer; o++) {
    for (let k = 0; k < inner; k++) {
      for (let i = 1; i < n; i++) {
        const at = (o * n + (attrs.reverse ? n - 1 - i : i)) * inner + k;
        result[at]! += result[at + (attrs.reverse ? inner : -inner)]!;
      }
    }
  }
  return result;
};

/**
 * Plain implementations, f64 accumulation, of every primitive that a plan can hold as an `op` step. (Elementwise
 * primitives and reductions reach backends as fused programs, movements as strides.)
 */
export const REFERENCE_KERNELS: Readonly<Record<string, ReferenceKernel>> = {
  matmul,
  conv: convolve,
  argreduce,
  pad,
  concat,
  gather,
  scatterAdd,
  cumsum,
  random: ([key], _, out) => threefry(key!.values, product(out.shape)),
};

/** Runs one `op` step of a plan by its reference kernel; a backend may use it for what it has no kernel for. */
export function runReferenceOp(memory: Memory, op: string, attrs: Attrs, inputs: readonly Operand[], output: Operand): void {
  const kernel = REFERENCE_KERNELS[op]!;
  writeOperand(
    memory,
    output,
    kernel(
      inputs.map((i) => ({ values: readOperand(memory, i), shape: i.shape })),
      attrs,
      output,
    ),
  );
}
