import type { CompositeCall } from "@weft/tensor-core";
import { claimsAffineLinear, lowerAffineLinear } from "./affine-linear.js";
import type { Activations, CompositeStep, Context } from "./context.js";

/** A composite that the runtime has an operator for. */
interface CompositeLowering {
  claims(call: CompositeCall, activations: Activations): boolean;
  lower(step: CompositeStep, context: Context): void;
}

/** Composites that are not decomposed. */
export const COMPOSITES: Readonly<Record<string, CompositeLowering>> = {
  affineLinear: { claims: claimsAffineLinear, lower: lowerAffineLinear },
};
