import {
  add,
  broadcastTo,
  concat,
  cumsum,
  equal,
  exp,
  iota,
  lessEqual,
  linearScan,
  logicalAnd,
  matmul,
  mul,
  pad,
  reshape,
  slice,
  sub,
  swapLast,
  type Tensor,
  transpose,
  where,
} from "@weft/tensor-core";

/** What {@link ssd} runs over: B rows, T steps, H heads of P features, G groups of N states. */
export interface SsdInputs {
  /** [B, T, H, P] */
  readonly x: Tensor;
  /** Step sizes, above 0, [B, T, H]. */
  readonly delta: Tensor;
  /** Decay of each head, below 0, [H]. */
  readonly a: Tensor;
  /** How the input enters the states, and how they are read, [B, T, G, N]. */
  readonly b: Tensor;
  readonly c: Tensor;
  /** What goes past the states, [H]. */
  readonly d: Tensor;
  /** The states before the first step, [B, H, P, N]. */
  readonly start: Tensor;
  /** Steps that are computed as products of matrices. */
  readonly chunk: number;
  /** Documents in the rows, i32 [B, T]: the states begin anew at each. */
  readonly segmentIds?: Tensor | undefined;
}

/**
 * Mamba-2's state space: h_t = e^{Δ_t·a}·h_{t-1} + Δ_t·x_t⊗B_t, y_t = h_t·C_t + D·x_t, with one decay per head, so that a chunk is a product with
 * the lower triangle of (C·Bᵀ)⊙e^{sums of Δ·a}, and only the states between chunks are a recurrence.
 * @returns y [B, T, H, P] and the states after the last step, [B, H, P, N]
 * @see Dao & Gu 2024, "Transformers are SSMs", listing 1
 */
export function ssd({ x, delta, a, b, c, d, start, chunk, segmentIds }: SsdInputs): { readonly y: Tensor; readonly state: Tensor } {
  const [batch, length, heads, width] = x.shape as [number, number, number, number];
  const [groups, states] = b.shape.slice(2) as [number, number];
  const steps = Math.min(chunk, length);
  const chunks = Math.ceil(length / steps);
  const each = heads / groups;
  /** [B, T, …] in chunks, [B, chunks, steps, …]; steps of size 0 behind the last change nothing. */
  const cut = (t: Tensor): Tensor => {
    const none = t.shape.map(() => 0);
    const whole =
      chunks * steps === length
        ? t
        : pad(
            t,
            none,
            t.shape.map((_, i) => (i === 1 ? chunks * steps - length : 0)),
          );
    return reshape(whole, [batch, chunks, steps, ...t.shape.slice(2)]);
  };
  /** [B, chunks, groups, heads of a group, steps, …] */
  const byHead = (t: Tensor): Tensor => {
    const turned = t.shape.length === 4 ? transpose(t, [0, 1, 3, 2]) : transpose(t, [0, 1, 3, 2, 4]);
    return reshape(turned, [batch, chunks, groups, each, ...turned.shape.slice(3)]);
  };
  const byGroup = (t: Tensor): Tensor => reshape(transpose(t, [0, 1, 3, 2, 4]), [batch, chunks, groups, 1, steps, states]);

  const input = byHead(cut(mul(x, reshape(delta, [...delta.shape, 1]))));
  const sums = cumsum(byHead(cut(mul(delta, a))), -1);
  const [enter, read] = [byGroup(cut(b)), byGroup(cut(c))];
  const column = reshape(sums, [...sums.shape, 1]);
  const space = [steps, steps];
  const causal = lessEqual(iota(space, 1), iota(space, 0));
  const own = segmentIds && cut(segmentIds);
  /** [B, chunks, 1, 1, steps or 1, 1]: the documents of the steps of a chunk from `from` to `to`. */
  const ids = (from: number, to: number): Tensor =>
    reshape(slice(own!, [undefined, undefined, [from, to]]), [batch, chunks, 1, 1, to - from, 1]);
  const seen = own ? logicalAnd(causal, equal(ids(0, steps), swapLast(ids(0, steps)))) : causal;
  // Above the diagonal the exponent would be positive, so it is taken out before exp.
  const fallen = where(seen, exp(where(seen, sub(column, swapLast(column)), 0)), 0);
  const near = matmul(mul(matmul(read, swapLast(enter)), fallen), input);

  const total = slice(sums, [undefined, undefined, undefined, undefined, [steps - 1, steps]]);
  const goesOn = own && equal(ids(0, steps), ids(steps - 1, steps));
  const left = reshape(exp(sub(total, sums)), column.shape);
  const remains = goesOn ? where(goesOn, left, 0) : left;
  const added = matmul(swapLast(mul(input, remains)), enter);
  /** Of the document that the chunk before ended with; the first chunk has none before it. */
  const same =
    own &&
    chunks > 1 &&
    equal(ids(0, steps), concat([slice(ids(0, 1), [undefined, [0, 1]]), slice(ids(steps - 1, steps), [undefined, [0, chunks - 1]])], 1));
  const through = exp(reshape(total, [...total.shape, 1]));
  const kept = same ? where(slice(same, [undefined, undefined, undefined, undefined, [steps - 1, steps]]), through, 0) : through;
  const first = equal(iota([1, chunks, 1, 1, 1, 1], 1), 0);
  const begin = reshape(start, [batch, 1, groups, each, width, states]);
  const decay = broadcastTo(kept, added.shape);
  const after = linearScan(decay, add(added, where(first, mul(kept, begin), 0)), 1);
  const before = chunks === 1 ? begin : concat([begin, slice(after, [undefined, [0, chunks - 1]])], 1);
  const reached = same ? where(same, exp(column), 0) : exp(column);
  const far = mul(matmul(read, swapLast(before)), reached);

  const inOrder = transpose(reshape(add(near, far), [batch, chunks, heads, steps, width]), [0, 1, 3, 2, 4]);
  const y = slice(reshape(inOrder, [batch, chunks * steps, heads, width]), [undefined, [0, length]]);
  const state = reshape(slice(after, [undefined, [chunks - 1, chunks]]), [batch, heads, width, states]);
  return { y: add(y, mul(x, reshape(d, [heads, 1]))), state };
}
