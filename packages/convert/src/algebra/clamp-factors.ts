import { ConfigError } from "@weft/tensor-core";

/**
 * Clamps both factors to ± the q-quantile of all their values (not of their sizes), in place, as kohya's extraction and svd merge do against outliers.
 * It changes the product, so it is never done unasked.
 * @returns the limit
 * @see sd-scripts `networks/extract_lora_from_models.py` CLAMP_QUANTILE
 */
export function clampFactors(q: number, ...factors: readonly Float32Array[]): number {
  if (!(q > 0 && q <= 1)) throw new ConfigError(`clamp: expected a quantile above 0 and up to 1, got ${q}`);
  const all = new Float32Array(factors.reduce((sum, f) => sum + f.length, 0));
  let at = 0;
  for (const f of factors) {
    all.set(f, at);
    at += f.length;
  }
  const limit = quantile(all.sort(), q);
  for (const f of factors) for (let i = 0; i < f.length; i++) f[i] = Math.min(Math.max(f[i]!, -limit), limit);
  return limit;
}

/** `torch.quantile` with linear interpolation. @param sorted ascending */
function quantile(sorted: ArrayLike<number>, q: number): number {
  const at = q * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!];
  return low + (high - low) * (at - Math.floor(at));
}
