import { callComposite, type Composite } from "../composite.js";
import { ShapeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { add, div, equal, exp, maximum, mul, stopGradient, sub, where } from "../ops/elementwise.js";
import { iota } from "../ops/create.js";
import { broadcastTo, concat, reshape, slice } from "../ops/movement.js";
import { cummax, linearScan } from "../ops/scan.js";
import { assertShapes } from "./assert-shapes.js";
import { sizeOf } from "../shape.js";

/** What {@link wkv} keeps between passes, each [B, A] in f32: sums of e^k·v and of e^k, both times e^-p, and the exponent p. */
export interface WkvState {
  readonly numerator: Tensor;
  readonly denominator: Tensor;
  readonly exponent: Tensor;
}

/**
 * `wkv`: RWKV-4's attention without scores, per channel. With decay w < 0 (added to the exponents of the past at every step) and bonus u of the
 * step at hand, y_t = (Σ_{i<t} e^{(t-1-i)·w + k_i}·v_i + e^{u+k_t}·v_t) / (the same with 1 for v).
 *
 * The sums are kept times e^-p_t with p_t = max(p_{t-1} + w, k_t), so that no exponent is above 0. What is computed from a state does not depend on
 * p, so gradients do not go through it: those of a state's parts are right together, for another pass, and not one by one. Inputs w and u [A], k and v [B, T, A], state numerator, denominator, exponent [B, A], all f32; outputs y [B, T, A] and the
 * state after the last step.
 * @see Peng et al. 2023, "RWKV: Reinventing RNNs for the Transformer Era", eq. 16 and appendix D; transformers `models/rwkv/modeling_rwkv.py`
 */
const WKV: Composite = {
  name: "wkv",
  flops: ([, , k]) => 16 * sizeOf(k!.shape),
  decompose: ([w, u, k, v, numerator, denominator, exponent]) => {
    const [batch, length, width] = k!.shape as [number, number, number];
    const row = (t: Tensor): Tensor => reshape(t, [batch, 1, width]);
    /** What stood before each step: the state, then all steps but the last. */
    const before = (first: Tensor, steps: Tensor): Tensor =>
      length === 1 ? row(first) : concat([row(first), slice(steps, [undefined, [0, length - 1]])], 1);
    const last = (t: Tensor): Tensor => reshape(slice(t, [undefined, [length - 1, length]]), [batch, width]);

    // p_t - t·w is a running maximum.
    const fallen = mul(iota([1, length + 1, 1], 1), w!);
    const peaks = stopGradient(add(cummax(sub(concat([row(exponent!), k!], 1), fallen), 1), fallen));
    const [old, p] = [slice(peaks, [undefined, [0, length]]), slice(peaks, [undefined, [1, length + 1]])];
    const kept = exp(sub(add(old, w!), p));
    const own = exp(sub(k!, p));
    const first = equal(iota([1, length, 1], 1), 0);
    const scan = (start: Tensor, values: Tensor): Tensor => {
      const shape = [batch, length, width];
      return linearScan(broadcastTo(kept, shape), add(broadcastTo(values, shape), where(first, mul(kept, row(start)), 0)), 1);
    };
    const [a, b] = [scan(numerator!, mul(own, v!)), scan(denominator!, own)];

    const bonus = add(k!, u!);
    const q = stopGradient(maximum(old, bonus));
    const [past, now] = [exp(sub(old, q)), exp(sub(bonus, q))];
    const y = div(add(mul(past, before(numerator!, a)), mul(now, v!)), add(mul(past, before(denominator!, b)), now));
    return [y, last(a), last(b), last(p)];
  },
};

/**
 * RWKV-4's time mixing: a decaying average of `v` weighted by e^k, in which the step at hand has the bonus `u`.
 * @param w decay, [A], below 0: −e^time_decay
 * @param u bonus of the step at hand, [A]: time_first
 * @param k exponents, and `v` values, [B, T, A]; T ≥ 1
 * @param state what the pass before left; zeros with exponent -1e38 at the beginning
 * @returns y [B, T, A] and the state after the last step
 * @throws ShapeError
 */
export function wkv(w: Tensor, u: Tensor, k: Tensor, v: Tensor, state: WkvState): { readonly y: Tensor; readonly state: WkvState } {
  const [batch, length, width] = k.shape as [number, number, number];
  if (k.shape.length !== 3 || length < 1) throw new ShapeError(`wkv: k is [${k.shape}], expected [batch, length ≥ 1, channels]`);
  const each = [batch, width];
  assertShapes("wkv", `k is [${k.shape}]`, [
    ["w", w, [width]],
    ["u", u, [width]],
    ["v", v, k.shape],
    ["numerator", state.numerator, each],
    ["denominator", state.denominator, each],
    ["exponent", state.exponent, each],
  ]);
  const [y, numerator, denominator, exponent] = callComposite(WKV, [w, u, k, v, state.numerator, state.denominator, state.exponent]) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  return { y, state: { numerator, denominator, exponent } };
}
