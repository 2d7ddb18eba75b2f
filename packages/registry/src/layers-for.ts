import { invocationMask, invocationTokens } from "@weft/adapters-lora";
import type { Attached, Tensor } from "@weft/tensor-core";

/**
 * The layers of an adapter for one pass: an activated LoRA (`alora_invocation_tokens`) acts in each row from the last occurrence of its tokens
 * on; others are left as they are.
 * @param inputIds i32 [batch, length]
 */
export function layersFor(layers: ReadonlyMap<string, Attached>, inputIds: Tensor): ReadonlyMap<string, Attached> {
  const masks = new Map<string, Tensor>();
  const maskOf = (tokens: readonly number[]): Tensor => {
    const mask = masks.get(tokens.join()) ?? invocationMask(inputIds, tokens);
    masks.set(tokens.join(), mask);
    return mask;
  };
  return new Map(
    [...layers].map(([path, attached]) => {
      const { config } = attached.context as { readonly config: { readonly aloraInvocationTokens?: readonly number[] | null } };
      const tokens = invocationTokens(config);
      return [path, tokens ? { ...attached, active: maskOf(tokens) } : attached] as const;
    }),
  );
}
