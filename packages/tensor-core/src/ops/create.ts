import { encode, roundTo } from "../convert/storage.js";
import { assertDType, bytesPerElement, type DType } from "../dtype.js";
import { ShapeError } from "../errors.js";
import { makeNode, type Source, Tensor } from "../graph.js";
import { applyPrimitive } from "../apply-primitive.js";
import { type Shape, sizeOf } from "../shape.js";
import type { Place } from "../storage.js";

/** One value everywhere, rounded to `dtype` (integers wrap); costs no memory. @throws DTypeError */
export function full(shape: Shape, value: number, dtype: DType = "f32"): Tensor {
  return applyPrimitive("full", [], { shape, value: roundTo(value, dtype), dtype });
}
/** A tensor of zeros. */
export const zeros = (shape: Shape, dtype: DType = "f32"): Tensor => full(shape, 0, dtype);
/** A tensor of ones. */
export const ones = (shape: Shape, dtype: DType = "f32"): Tensor => full(shape, 1, dtype);

/** 0, 1, 2 … along `axis`, i32. */
export function iota(shape: Shape, axis = 0): Tensor {
  return applyPrimitive("iota", [], { shape, axis });
}

/** 0 … n-1, i32. */
export const arange = (n: number): Tensor => iota([n], 0);

/** Nested arrays of numbers, as deep as the tensor has axes. */
export type NestedArray = number | readonly NestedArray[];

function shapeOf(values: NestedArray): number[] {
  const shape: number[] = [];
  for (let level: NestedArray = values; typeof level !== "number"; level = level[0]!) {
    shape.push(level.length);
    if (level.length === 0) break;
  }
  return shape;
}

function flatten(values: NestedArray, shape: Shape, depth: number, out: number[]): void {
  if (typeof values === "number") {
    if (depth !== shape.length) throw new ShapeError(`tensor: the nested array is ragged at depth ${depth}`);
    out.push(values);
    return;
  }
  if (values.length !== shape[depth])
    throw new ShapeError(`tensor: the nested array is ragged at depth ${depth}: ${values.length} and ${shape[depth]} elements`);
  for (const v of values) flatten(v, shape, depth + 1, out);
}

/** Shape, dtype and place of a new tensor, where its values leave them open. */
export interface TensorOptions {
  readonly shape?: Shape;
  /** f32 unless the values are an integer typed array. */
  readonly dtype?: DType;
  readonly device?: Place;
}

/**
 * A constant from nested arrays or a typed array (f32 from Float32Array and plain numbers, i32 from
 * Int32Array). Values are rounded to `dtype`.
 * @throws ShapeError if the number of values is not the product of `shape`.
 */
export function tensor(values: NestedArray | Float32Array | Int32Array | Float64Array, options: TensorOptions = {}): Tensor {
  const typed = ArrayBuffer.isView(values);
  const dtype = options.dtype ?? (values instanceof Int32Array ? "i32" : "f32");
  let shape = options.shape ?? (typed ? [values.length] : shapeOf(values));
  let flat: ArrayLike<number>;
  if (typed) flat = values;
  else {
    const list: number[] = [];
    flatten(values, shapeOf(values), 0, list);
    flat = list;
  }
  if (flat.length !== sizeOf(shape)) throw new ShapeError(`tensor: ${flat.length} values for shape [${shape}] (${sizeOf(shape)})`);
  const exact = (values instanceof Float32Array && dtype === "f32") || (values instanceof Int32Array && dtype === "i32");
  const bytes = exact ? new Uint8Array(values.buffer, values.byteOffset, values.byteLength) : encode(flat, dtype);
  return fromBytes(bytes, shape, dtype, options.device);
}

/**
 * A constant over stored bytes (little-endian, row-major), not copied: do not change them afterwards.
 * @throws ShapeError if the bytes are not what shape and dtype say.
 */
export function fromBytes(bytes: Uint8Array, shape: Shape, dtype: DType, device?: Place): Tensor {
  const expected = sizeOf(shape) * bytesPerElement(dtype);
  if (bytes.byteLength !== expected) throw new ShapeError(`tensor: ${dtype}[${shape}] takes ${expected} bytes, got ${bytes.byteLength}`);
  return new Tensor(makeNode("constant", [], {}, [{ shape: [...shape], dtype }], device ? { bytes, device } : { bytes }));
}

/** A constant that is read when it is needed. */
export interface SourceOptions extends Source {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly device?: Place;
}

/**
 * A constant whose bytes are read when they are first needed on a device, and not kept in JavaScript's memory: weights of files. After `dispose` they are
 * read again.
 * `read`, and `readRows` for pieces of at most 8 MiB, give exactly the bytes that shape and dtype say; what they throw reaches whoever needed them.
 */
export function fromSource({ shape, dtype, device, read, readRows }: SourceOptions): Tensor {
  assertDType(dtype);
  const source = { read, readRows };
  return new Tensor(makeNode("constant", [], {}, [{ shape: [...shape], dtype }], { source, ...(device && { device }) }));
}
