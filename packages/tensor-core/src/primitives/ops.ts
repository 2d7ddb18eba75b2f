import type { DType } from "../dtype.js";
import type { Shape } from "../shape.js";

interface Along {
  readonly axes?: readonly number[];
  readonly keepDims?: boolean;
}

type PerAxis = readonly number[];

/**
 * What gradient rules build graph with: the public functions of `ops/` that they use, over any kind of tensor. Definitions of primitives lie
 * below the functions that call them, so they are handed these.
 */
export interface Ops<T> {
  zeros(shape: Shape, dtype: DType): T;
  cast(x: T, dtype: DType): T;
  add(a: T | number, b: T | number): T;
  sub(a: T | number, b: T | number): T;
  mul(a: T | number, b: T | number): T;
  div(a: T | number, b: T | number): T;
  pow(a: T | number, b: T | number): T;
  equal(a: T | number, b: T | number): T;
  greater(a: T | number, b: T | number): T;
  less(a: T | number, b: T | number): T;
  where(condition: T, a: T | number, b: T | number): T;
  neg(x: T): T;
  sign(x: T): T;
  exp(x: T): T;
  log(x: T): T;
  sin(x: T): T;
  cos(x: T): T;
  square(x: T): T;
  reciprocal(x: T): T;
  floor(x: T): T;
  sum(x: T, along: Along): T;
  prod(x: T, along: Along): T;
  cumsum(x: T, axis: number, reverse: boolean): T;
  linearScan(a: T, b: T, axis: number, reverse: boolean): T;
  reshape(x: T, shape: Shape): T;
  transpose(x: T, axes: readonly number[]): T;
  swapLast(x: T): T;
  broadcastTo(x: T, shape: Shape): T;
  slice(x: T, ranges: readonly (readonly [start: number, stop: number] | undefined)[]): T;
  split(x: T, sizes: readonly number[], axis: number): T[];
  flip(x: T, axes: readonly number[]): T;
  pad(x: T, low: readonly number[], high: readonly number[]): T;
  matmul(a: T, b: T): T;
  conv(
    x: T,
    weight: T,
    options: {
      readonly stride: PerAxis;
      readonly padding: readonly (readonly [number, number])[];
      readonly dilation: PerAxis;
      readonly inputDilation: PerAxis;
      readonly groups: number;
    },
  ): T;
  gather(x: T, index: T, axis: number): T;
  dynamicSlice(x: T, starts: T, sizes: readonly number[], axes: readonly number[]): T;
  update(base: T, value: T, starts: T, axes: readonly number[]): T;
  scatterAdd(base: T, index: T, updates: T, axis: number): T;
}
