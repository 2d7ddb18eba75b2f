import { add, cast, div, gather, iota, max, maximum, mul, reshape, slice, sqrt, sub, sum, type Tensor, where } from "@weft/tensor-core";

/** Which states stand for a text: the mean, the first token's (`cls`), the last one's, or the largest value of each dimension. */
export type Pooling = "mean" | "cls" | "last" | "max";

/**
 * One vector for each text, [batch, hidden], of the states of its tokens.
 * @param hidden [batch, length, hidden]
 * @param attentionMask i32 [batch, length]; padding stands on the right
 * @see sentence-transformers `Pooling`
 */
export function pooled(hidden: Tensor, attentionMask: Tensor, pooling: Pooling): Tensor {
  const [batch, length, width] = hidden.shape as [number, number, number];
  if (pooling === "cls") return reshape(slice(hidden, [undefined, [0, 1]]), [batch, width]);
  const mask = reshape(attentionMask, [batch, length, 1]);
  if (pooling === "max") return max(where(cast(mask, "bool"), hidden, -Infinity), { axes: [1] });
  if (pooling === "last") {
    const last = sub(sum(cast(attentionMask, "i32"), { axes: [1] }), 1);
    return gather(reshape(hidden, [batch * length, width]), add(maximum(last, 0), mul(iota([batch], 0), length)));
  }
  const counted = cast(mask, "f32");
  return div(sum(mul(hidden, counted), { axes: [1] }), maximum(sum(counted, { axes: [1] }), 1e-9));
}

/** Vectors [batch, hidden] scaled to length 1. @see sentence-transformers `Normalize` */
export function normalized(vectors: Tensor): Tensor {
  const length = sum(mul(vectors, vectors), { axes: [1], keepDims: true });
  return div(vectors, maximum(sqrt(length), 1e-12));
}

/** The mean of the states of all tokens that are no padding, scaled to length 1: a sentence's vector, as MiniLM's. */
export const meanPooled = (hidden: Tensor, attentionMask: Tensor): Tensor => normalized(pooled(hidden, attentionMask, "mean"));
