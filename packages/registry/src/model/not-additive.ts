import { type Attached, additiveDelta } from "@weft/tensor-core";
import type { AdapterState } from "./adapter-state.js";

function ofLayer({ method, params, context }: Attached): string | undefined {
  const form = method.special?.(context.config);
  if (form?.kind === "acts-otherwise") return form.why;
  if (method.unmergeable !== undefined) return `${method.name}: ${method.unmergeable}`;
  if (additiveDelta(method, params, context)) return undefined;
  return `${method.name} scales, turns or replaces what the layer has: no change of its parameters alone adds up`;
}

/** Why what an adapter does is no ΔW that is added to others; undefined where it is. */
export function notAdditive({ config: { peftType }, layers, replaced, expected, prompt }: AdapterState): string | undefined {
  if (prompt) return `${peftType} stands in front of the input and changes no weight`;
  if (replaced.size > 0) return `this ${peftType} brings weights or biases of its own (modules_to_save, bias)`;
  if (expected.size > 0) return `this ${peftType} began on a base weight of its own`;
  for (const [path, attached] of layers)
    for (const one of attached) {
      const why = ofLayer(one);
      if (why !== undefined) return `${path}: ${why}`;
    }
  return undefined;
}
