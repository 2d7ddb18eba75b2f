import { isFloat } from "../dtype.js";
import { DTypeError, ShapeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { applyPrimitive } from "../apply-primitive.js";
import { broadcastShapes, normalizeAxis, sizeOf } from "../shape.js";
import { add } from "./elementwise.js";
import { broadcastTo, reshape, swapLast } from "./movement.js";

/**
 * Matrix product […, M, K] · […, K, N] → […, M, N]; leading axes broadcast. A rank-1 operand is a row (left) or a
 * column (right), as in NumPy. Accumulation is f32.
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  if (a.shape.length === 1) return reshapeOut(matmul(reshape(a, [1, a.shape[0]!]), b), -2);
  if (b.shape.length === 1) return reshapeOut(matmul(a, reshape(b, [b.shape[0]!, 1])), -1);
  if (a.shape.length === 0 || b.shape.length === 0)
    throw new ShapeError(`matmul: shapes [${a.shape}] and [${b.shape}]; scalars have no matrix product`);
  // One weight for a batch of rows: fold the batch into the rows, so that it is one large product.
  if (b.shape.length === 2 && a.shape.length > 2) {
    // The rows are counted, as -1 is not determined where a factor is empty.
    const flat = reshape(a, [sizeOf(a.shape.slice(0, -1)), a.shape.at(-1)!]);
    return reshape(applyPrimitive("matmul", [flat, b]), [...a.shape.slice(0, -1), b.shape[1]!]);
  }
  const batch = broadcastShapes("matmul", a.shape.slice(0, -2), b.shape.slice(0, -2));
  return applyPrimitive("matmul", [broadcastTo(a, [...batch, ...a.shape.slice(-2)]), broadcastTo(b, [...batch, ...b.shape.slice(-2)])]);
}

function reshapeOut(x: Tensor, axis: number): Tensor {
  const at = x.shape.length + axis;
  return reshape(
    x,
    x.shape.filter((_, i) => i !== at),
  );
}

/** x · Wᵀ + b with W [out, in], as torch `F.linear`. */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const y = matmul(x, swapLast(weight));
  return bias ? add(y, bias) : y;
}

/** How a convolution moves over its input: a number for every axis, or one for each. */
export interface ConvOptions {
  /** One number per spatial axis, or one for all. */
  readonly stride?: number | readonly number[];
  /** Same number on both sides, or [low, high] per axis. */
  readonly padding?: number | readonly (number | readonly [number, number])[];
  readonly dilation?: number | readonly number[];
  /** Zeros put between input elements (as a transposed convolution does). */
  readonly inputDilation?: number | readonly number[];
  readonly groups?: number;
}

/**
 * Cross-correlation as torch `F.conv1d/2d/3d`: x [N, C, *S], weight [O, C/groups, *K] → [N, O, *S'] with
 * S' = ⌊((S-1)·inputDilation + 1 + low + high - dilation·(K-1) - 1) / stride⌋ + 1. Backends have kernels for up to three spatial axes; beyond
 * that kernels-wasm computes it by plain loops, slowly.
 */
export function conv(x: Tensor, weight: Tensor, options: ConvOptions = {}): Tensor {
  const spatial = x.shape.length - 2;
  const each = (v: number | readonly number[] | undefined, otherwise: number): readonly number[] =>
    typeof v === "object" ? v : Array<number>(spatial).fill(v ?? otherwise);
  const padding = options.padding ?? 0;
  const pairs = (typeof padding === "number" ? Array<number>(spatial).fill(padding) : padding).map((p) =>
    typeof p === "number" ? [p, p] : p,
  );
  const attrs = {
    stride: each(options.stride, 1),
    padding: pairs,
    dilation: each(options.dilation, 1),
    inputDilation: each(options.inputDilation, 1),
    groups: options.groups ?? 1,
  };
  if (spatial < 1 || [attrs.stride, pairs, attrs.dilation, attrs.inputDilation].some((v) => v.length !== spatial)) {
    throw new ShapeError(`conv: input [${x.shape}] has ${spatial} spatial axes; stride, padding and dilation must have as many entries`);
  }
  return applyPrimitive("conv", [x, weight], attrs);
}

/** Slices of `x` picked by integer `index` along `axis`: shape x[:axis] + index + x[axis+1:]. An index outside the axis gives 0 (negative ones are not wrapped), or an IndexError on a device that checks indices. */
export function gather(x: Tensor, index: Tensor, axis = 0): Tensor {
  if (isFloat(index.dtype)) throw new DTypeError(`gather: indices must be integers, got ${index.dtype}`);
  return applyPrimitive("gather", [x, index], { axis: normalizeAxis("gather", axis, x.shape.length) });
}

/**
 * Elements of a vector by number: [n] and integers […] → […]. Unlike `gather` it runs within fused loops, and looks at no index: they must be in range by the
 * way they are made (parts of packed weights, tables of constants). A device that checks indices gives an IndexError for those that are not.
 */
export function lookup(table: Tensor, index: Tensor): Tensor {
  return applyPrimitive("lookup", [table, index]);
}

/** Rows of a table [V, d] by token id: […] → […, d]. */
export const embedding = (table: Tensor, ids: Tensor): Tensor => gather(table, ids, 0);

/** `base` with `updates` (shape of `gather(base, index, axis)`) added at `index` along `axis`; those whose index lies outside the axis are left out, or an IndexError on a device that checks indices. */
export function scatterAdd(base: Tensor, index: Tensor, updates: Tensor, axis = 0): Tensor {
  return applyPrimitive("scatterAdd", [base, index, updates], { axis: normalizeAxis("scatterAdd", axis, base.shape.length) });
}
