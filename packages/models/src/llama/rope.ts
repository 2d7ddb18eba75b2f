import type { LlamaConfig } from "./config.js";

/** Frequencies per pair of a head, and the factor on cos and sin. */
export interface Frequencies {
  readonly inverse: Float64Array;
  readonly factor: number;
}

/**
 * Inverse frequencies of rotary embeddings: θ^(-2j/d), scaled by the rule of the config's rope type.
 * @param positions how many positions the pass sees; `dynamic` and `longrope` depend on it
 * @see transformers `modeling_rope_utils.py`
 */
export function ropeFrequencies(config: LlamaConfig, positions: number): Frequencies {
  const { rope, headDim: d, maxPositions } = config;
  const { fields, theta } = rope;
  const number = (name: string, otherwise: number): number => Number(fields[name] ?? otherwise);
  const factor = number("factor", 1);
  const original = number("original_max_position_embeddings", maxPositions);
  const plain = (base: number): Float64Array => Float64Array.from({ length: d / 2 }, (_, j) => base ** ((-2 * j) / d));
  const inverse = plain(theta);
  switch (rope.type) {
    case "linear":
      return { inverse: inverse.map((f) => f / factor), factor: 1 };
    case "dynamic": {
      const length = Math.max(positions, maxPositions);
      return { inverse: plain(theta * ((factor * length) / maxPositions - (factor - 1)) ** (d / (d - 2))), factor: 1 };
    }
    case "llama3": {
      const [low, high] = [number("low_freq_factor", 1), number("high_freq_factor", 4)];
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
      const dimension = (rotations: number): number => (d * Math.log(original / (rotations * 2 * Math.PI))) / (2 * Math.log(theta));
      const cut = fields["truncate"] !== false;
      const low = Math.max(cut ? Math.floor(dimension(number("beta_fast", 32))) : dimension(number("beta_fast", 32)), 0);
      const high = Math.min(cut ? Math.ceil(dimension(number("beta_slow", 1))) : dimension(number("beta_slow", 1)), d - 1);
      const span = high === low ? 0.001 : high - low;
      const scale = (m: number): number => (factor <= 1 ? 1 : 0.1 * m * Math.log(factor) + 1);
      const both = fields["mscale"] && fields["mscale_all_dim"];
      const attention = Number(fields["attention_factor"] ?? (both ? scale(number("mscale", 1)) / scale(number("mscale_all_dim", 1)) : scale(1)));
      return {
        factor: attention,
        inverse: inverse.map((f, j) => {
          const ramp = Math.min(1, Math.max(0, (j - low) / span));
          return (f / factor) * ramp + f * (1 - ramp);
        }),
      };
    }
    case "longrope": {
      const list = (positions > original ? fields["long_factor"] : fields["short_factor"]) as readonly number[];
      const ratio = maxPositions / original;
      return { inverse: inverse.map((f, j) => f / list[j]!), factor: Number(fields["attention_factor"] ?? (ratio <= 1 ? 1 : Math.sqrt(1 + Math.log(ratio) / Math.log(original)))) };
    }
    default:
      return { inverse, factor: 1 };
  }
}
