import { ShapeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { cast } from "../ops/cast.js";
import { add, div, greaterEqual, mul } from "../ops/elementwise.js";
import { normal, randomBits, uniform } from "../ops/random.js";
import { tensor } from "../ops/create.js";
import { camel } from "./config.js";
import type { AdapterContext, AdapterMethod } from "./method.js";

/** What is drawn in a training pass. */
export type Draws = Required<Pick<AdapterContext<never>, "mask" | "uniform" | "noise">>;

/**
 * The draws of one training pass: the n-th is made from the n-th key behind `dropoutKey`, so the same key and the same calls give the same numbers, and
 * a compiled step draws anew for each key that it is given.
 * @param dropoutKey i32 [2], of `randomKey(step)`
 * @throws ShapeError if it is not a key
 */
export function drawsOf(dropoutKey: Tensor): Draws {
  if (dropoutKey.dtype !== "i32" || dropoutKey.shape.join() !== "2")
    throw new ShapeError(`dropoutKey is ${dropoutKey.dtype} [${dropoutKey.shape}], expected a key, i32 [2]`, {
      hint: "randomKey(step) makes one",
    });
  // Mixed first: keys of consecutive steps would have draws in common if the count were added to them.
  const first = randomBits(dropoutKey, [2]);
  let count = 0;
  const next = (): Tensor => add(first, tensor(Int32Array.of(count++, 0)));
  return {
    mask: (shape, rate) => cast(greaterEqual(uniform(next(), shape), rate), "f32"),
    uniform: (shape) => uniform(next(), shape),
    noise: (shape) => normal(next(), shape),
  };
}

/** torch's dropout: zeros with probability `rate`, the rest divided by 1 - rate; `t` itself outside of training. */
export function dropped(t: Tensor, rate: number, mask: AdapterContext<never>["mask"]): Tensor {
  return mask && rate > 0 ? cast(mul(t, div(mask(t.shape, rate), 1 - rate)), t.dtype) : t;
}

/** The share of its input that an adapter drops in training, by the field of its config that says so (`lora_dropout`). */
export function inputDropout<C>(
  { fields }: Pick<AdapterMethod<C>, "fields">,
  config: C,
): { readonly field: string; readonly rate: number } | undefined {
  const field = Object.keys(fields).find((name) => fields[name]!.draws === "input");
  const rate = field === undefined ? undefined : (config as { readonly [name: string]: unknown })[camel(field)];
  return typeof rate === "number" && rate > 0 ? { field: field!, rate } : undefined;
}
