import {
  add,
  cast,
  concat,
  cos,
  type DType,
  exp,
  greater,
  log,
  maximum,
  mul,
  reshape,
  sin,
  sub,
  tensor,
  Tensor,
  where,
} from "@weft/tensor-core";
import type { LlamaConfig } from "./llama-config.js";

/** Frequencies per pair of a head, and the factor on cos and sin. */
export interface Frequencies {
  readonly inverse: Float64Array;
  readonly factor: number;
}

/** Frequencies that a trace computes. */
export interface TracedFrequencies {
  /** [1 or batch, 1, d/2] */
  readonly inverse: Tensor;
  readonly factor: number;
}

/**
 * Inverse frequencies of rotary embeddings: θ^(-2j/d) for j < d/2, scaled by the rule of the config's rope type.
 * @param positions how many positions the pass sees (largest + 1); `dynamic` and `longrope` depend on it
 * @see transformers `modeling_rope_utils.py`
 */
export function ropeFrequencies(
  { rope, headDim: d, maxPositions }: Pick<LlamaConfig, "rope" | "headDim" | "maxPositions">,
  positions: number,
): Frequencies {
  const plain = (theta: number): Float64Array => Float64Array.from({ length: d / 2 }, (_, j) => theta ** ((-2 * j) / d));
  const inverse = plain(rope.theta);
  switch (rope.type) {
    case "default":
      return { inverse, factor: 1 };
    case "linear":
      return { inverse: inverse.map((f) => f / rope.factor), factor: 1 };
    case "dynamic": {
      const stretch = (rope.factor * Math.max(positions, maxPositions)) / maxPositions - (rope.factor - 1);
      return { inverse: plain(rope.theta * stretch ** (d / (d - 2))), factor: 1 };
    }
    case "llama3": {
      const { factor, lowFrequency: low, highFrequency: high, original } = rope;
      return {
        factor: 1,
        inverse: inverse.map((f) => {
          const wavelength = (2 * Math.PI) / f;
          if (wavelength > original / low) return f / factor;
          if (wavelength < original / high) return f;
          const smooth = (original / wavelength - low) / (high - low);
          return ((1 - smooth) * f) / factor + smooth * f;
        }),
      };
    }
    case "yarn": {
      // The pair that makes this many rotations within the original length.
      const pairOf = (rotations: number): number => (d * Math.log(rope.original / (rotations * 2 * Math.PI))) / (2 * Math.log(rope.theta));
      const [first, last] = [pairOf(rope.betaFast), pairOf(rope.betaSlow)];
      const low = Math.max(rope.truncate ? Math.floor(first) : first, 0);
      const high = Math.min(rope.truncate ? Math.ceil(last) : last, d - 1);
      const span = high === low ? 0.001 : high - low;
      return {
        factor: rope.attentionFactor,
        inverse: inverse.map((f, j) => {
          const ramp = Math.min(1, Math.max(0, (j - low) / span));
          return (f / rope.factor) * ramp + f * (1 - ramp);
        }),
      };
    }
    case "longrope": {
      const list = positions > rope.original ? rope.long : rope.short;
      return { inverse: inverse.map((f, j) => f / list[j]!), factor: rope.attentionFactor };
    }
  }
}

/**
 * The same where the number of positions is data, i32 [] or [batch]: inverse frequencies [1 or batch, 1, d/2] in f32. A constant for the types that do not depend on it.
 */
export function ropeFrequenciesAt(config: Pick<LlamaConfig, "rope" | "headDim" | "maxPositions">, positions: Tensor): TracedFrequencies {
  const { rope, headDim: d, maxPositions } = config;
  const constant = (values: Iterable<number>): Tensor => tensor(Float32Array.from(values), { shape: [1, 1, d / 2] });
  const few = ropeFrequencies(config, 0);
  const filled = positions.size === 1 ? positions : reshape(positions, [-1, 1, 1]);
  if (rope.type === "longrope") {
    const many = ropeFrequencies(config, rope.original + 1);
    return { inverse: where(greater(filled, rope.original), constant(many.inverse), constant(few.inverse)), factor: few.factor };
  }
  if (rope.type !== "dynamic") return { inverse: constant(few.inverse), factor: few.factor };
  // (θ·s^(d/(d-2)))^(-2j/d) = θ^(-2j/d)·s^(-2j/(d-2)), which is exact where nothing is stretched.
  const beyond = cast(sub(maximum(filled, maxPositions), maxPositions), "f32");
  const stretch = add(mul(beyond, rope.factor / maxPositions), 1);
  const powers = constant(few.inverse.map((_, j) => (-2 * j) / (d - 2)));
  return { inverse: mul(constant(few.inverse), exp(mul(powers, log(stretch)))), factor: 1 };
}

/** cos and sin of positions, [batch or 1, length, d]. */
export interface RopeTables {
  readonly cosine: Tensor;
  readonly sine: Tensor;
}

/** cos and sin of every position and frequency, [batch or 1, length, d], each frequency twice: pairs are (j, j + d/2). */
export function ropeTables({ inverse, factor }: Frequencies | TracedFrequencies, positions: Tensor, dtype: DType): RopeTables {
  const each = inverse instanceof Tensor ? inverse : tensor(Float32Array.from(inverse), { shape: [1, 1, inverse.length] });
  const angles = mul(reshape(cast(positions, "f32"), [...positions.shape, 1]), each);
  const both = concat([angles, angles], 2);
  return { cosine: cast(mul(cos(both), factor), dtype), sine: cast(mul(sin(both), factor), dtype) };
}
