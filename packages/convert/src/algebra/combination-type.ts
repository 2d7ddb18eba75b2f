/**
 * How adapters become one. `exact`: A and B side by side, scales folded in, so that ΔW = Σ w_t·ΔW_t to the last bit of rounding, also with rsLoRA;
 * with `rank` compressed to it. The others are PEFT's, cross terms and rsLoRA's over-scaling included.
 */
export const COMBINATION_TYPES = [
  "exact",
  "linear",
  "cat",
  "svd",
  "ties",
  "ties_svd",
  "dare_linear",
  "dare_linear_svd",
  "dare_ties",
  "dare_ties_svd",
  "magnitude_prune",
  "magnitude_prune_svd",
] as const;
/** How adapters become one: `exact`, or a `combination_type` of PEFT's `add_weighted_adapter`. */
export type CombinationType = (typeof COMBINATION_TYPES)[number];
