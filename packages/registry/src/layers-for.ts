import type { Attached, Tensor } from "@weft/tensor-core";

/**
 * The layers of an adapter for one pass: one that acts on a part of each sequence (an activated LoRA, `alora_invocation_tokens`: from the last
 * occurrence of its tokens on) is told where; others are left as they are.
 * @param inputIds i32 [batch, length]
 */
export function layersFor(layers: ReadonlyMap<string, Attached>, inputIds: Tensor): ReadonlyMap<string, Attached> {
  return new Map(
    [...layers].map(([path, attached]) => {
      const part = attached.method.active?.(attached.context.config);
      return [path, part ? { ...attached, active: part.mask(inputIds) } : attached] as const;
    }),
  );
}
