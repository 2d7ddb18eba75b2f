import { callComposite, type Composite } from "../composite.js";
import { ShapeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { add, equal, exp, mul, where } from "../ops/elementwise.js";
import { iota } from "../ops/create.js";
import { concat, reshape, slice } from "../ops/movement.js";
import { sum } from "../ops/reduce.js";
import { linearScan } from "../ops/scan.js";
import { assertShapes } from "./assert-shapes.js";
import { sizeOf } from "../shape.js";

/** Steps whose states [B, steps, E, N] exist at the same time. */
const CHUNK = 128;

/**
 * `selectiveScan`: Mamba's state space, of channels E with N states each. h_t = e^{Δ_t·A}·h_{t-1} + Δ_t·B_t·x_t and y_t = Σ_n C_t·h_t + D·x_t.
 * Runs in chunks of 128 steps, of which only the states at their ends go on.
 *
 * Inputs x and Δ [B, T, E], A [E, N] (below 0), B and C [B, T, N], D [E], h_0 [B, E, N], all f32; outputs y [B, T, E] and h_T [B, E, N].
 * @see Gu & Dao 2023, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces", algorithm 2; transformers `models/mamba/modeling_mamba.py`
 */
const SELECTIVE_SCAN: Composite = {
  name: "selectiveScan",
  flops: ([x, , a]) => 7 * sizeOf(x!.shape) * a!.shape[1]!,
  decompose: ([x, delta, a, b, c, d, start]) => {
    const [batch, length, channels] = x!.shape as [number, number, number];
    const states = a!.shape[1]!;
    let h = start!;
    const parts: Tensor[] = [];
    for (let from = 0; from < length; from += CHUNK) {
      const steps = Math.min(CHUNK, length - from);
      const part = (t: Tensor): Tensor => slice(t, [undefined, [from, from + steps]]);
      const perChannel = (t: Tensor): Tensor => reshape(part(t), [batch, steps, channels, 1]);
      const perState = (t: Tensor): Tensor => reshape(part(t), [batch, steps, 1, states]);
      const kept = exp(mul(perChannel(delta!), a!));
      const added = mul(mul(perChannel(delta!), perChannel(x!)), perState(b!));
      const first = equal(iota([1, steps, 1, 1], 1), 0);
      const carried = where(first, mul(kept, reshape(h, [batch, 1, channels, states])), 0);
      const all = linearScan(kept, add(added, carried), 1);
      parts.push(sum(mul(all, perState(c!)), { axes: [3] }));
      h = reshape(slice(all, [undefined, [steps - 1, steps]]), [batch, channels, states]);
    }
    return [add(concat(parts, 1), mul(x!, d!)), h];
  },
};

/** What a selective scan runs over. */
export interface SelectiveScanInputs {
  /** The sequence, [B, T, E]; T ≥ 1. */
  readonly x: Tensor;
  /** Step sizes, above 0, [B, T, E]. */
  readonly delta: Tensor;
  /** Decay of each state, below 0, [E, N]. */
  readonly a: Tensor;
  /** How the input enters the states, [B, T, N]. */
  readonly b: Tensor;
  /** How the states are read, [B, T, N]. */
  readonly c: Tensor;
  /** What goes past the states, [E]. */
  readonly d: Tensor;
  /** The states before the first step, [B, E, N]. */
  readonly start: Tensor;
}

/** @see SELECTIVE_SCAN @returns y [B, T, E] and the states after the last step, [B, E, N] @throws ShapeError */
export function selectiveScan({ x, delta, a, b, c, d, start }: SelectiveScanInputs): { readonly y: Tensor; readonly state: Tensor } {
  const [batch, length, channels] = x.shape as [number, number, number];
  const states = a.shape[1]!;
  if (x.shape.length !== 3 || length < 1) throw new ShapeError(`selectiveScan: x is [${x.shape}], expected [batch, length ≥ 1, channels]`);
  assertShapes("selectiveScan", `x is [${x.shape}]`, [
    ["delta", delta, [batch, length, channels]],
    ["a", a, [channels, states]],
    ["b", b, [batch, length, states]],
    ["c", c, [batch, length, states]],
    ["d", d, [channels]],
    ["start", start, [batch, channels, states]],
  ]);
  const [y, state] = callComposite(SELECTIVE_SCAN, [x, delta, a, b, c, d, start]) as [Tensor, Tensor];
  return { y, state };
}
