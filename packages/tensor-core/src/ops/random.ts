import type { Tensor } from "../graph.js";
import { applyPrimitive } from "../apply-primitive.js";
import { type Shape, sizeOf } from "../shape.js";
import { add, cos, less, log, mod, mul, sqrt } from "./elementwise.js";
import { cast } from "./cast.js";
import { tensor } from "./create.js";
import { reshape, split } from "./movement.js";

/** A random key from an integer seed: i32[2]. The same key always gives the same numbers, on every backend. */
export function randomKey(seed: number): Tensor {
  return tensor(Int32Array.of(Math.floor(seed / 2 ** 32) | 0, seed | 0));
}

/** 32 random bits per element, i32. */
export const randomBits = (key: Tensor, shape: Shape): Tensor => applyPrimitive("random", [key], { shape });

/** Independent keys out of one. */
export function splitKey(key: Tensor, count: number): Tensor[] {
  return split(randomBits(key, [count, 2]), Array<number>(count).fill(1)).map((row) => reshape(row, [2]));
}

/** Uniform in [0, 1), f32: 24 random bits. */
export function uniform(key: Tensor, shape: Shape): Tensor {
  return mul(cast(mod(randomBits(key, shape), 2 ** 24), "f32"), 2 ** -24);
}

/** Standard normal, f32 (Box–Muller over two uniforms). */
export function normal(key: Tensor, shape: Shape): Tensor {
  const pair = uniform(key, [2, sizeOf(shape)]);
  const [u, v] = split(pair, [1, 1]) as [Tensor, Tensor];
  // 1 - u lies in (0, 1]: its logarithm is finite.
  const radius = sqrt(mul(log(add(mul(u, -1), 1)), -2));
  return reshape(mul(radius, cos(mul(v, 2 * Math.PI))), shape);
}

/** True with probability `p`, bool. */
export const bernoulli = (key: Tensor, p: number, shape: Shape): Tensor => less(uniform(key, shape), p);
