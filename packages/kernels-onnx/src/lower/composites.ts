import type { CompositeCall } from "@weft/tensor-core";
import { claimsAffineLinear, lowerAffineLinear } from "./affine-linear.js";
import { claimsAttention, lowerAttention } from "./attention.js";
import type { Activations, CompositeStep, Context } from "./context.js";
import { claimsNorm, lowerLayerNorm, lowerRmsNorm } from "./normalization.js";
import { claimsSoftmax, lowerSoftmax } from "./softmax.js";
import { claimsSwiglu, lowerSwiglu } from "./swiglu.js";

/** A composite that the runtime has an operator for. */
interface CompositeLowering {
  claims(call: CompositeCall, activations: Activations): boolean;
  lower(step: CompositeStep, context: Context): void;
}

/** Composites that are not decomposed. */
export const COMPOSITES: Readonly<Record<string, CompositeLowering>> = {
  affineLinear: { claims: claimsAffineLinear, lower: lowerAffineLinear },
  attention: { claims: claimsAttention, lower: lowerAttention },
  layerNorm: { claims: claimsNorm, lower: lowerLayerNorm },
  rmsNorm: { claims: claimsNorm, lower: lowerRmsNorm },
  softmax: { claims: claimsSoftmax, lower: lowerSoftmax },
  swiglu: { claims: claimsSwiglu, lower: lowerSwiglu },
};
