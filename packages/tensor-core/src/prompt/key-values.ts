import { ShapeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { concat, reshape, slice, transpose } from "../ops/movement.js";
import type { PromptConfigFields } from "./prompt-config.js";

/** Keys and values of one layer in front of its own, as attention uses them (no rotary embedding is applied): [1 or batch, heads, virtual, head dim]. */
export interface KeyValues {
  readonly key: Tensor;
  readonly value: Tensor;
}

/**
 * Keys and values per layer of a flat prefix [virtual, layers·2·token dim]: seen as [virtual, 2·layers, heads, head dim], of which layer i has
 * slices 2i (key) and 2i + 1 (value). For encoder-decoders PEFT repeats that list and deals it out in fours, of which the decoder's own
 * attention takes the first two.
 * @see Li & Liang 2021 (prefix tuning); peft `peft_model.py` get_prompt
 */
export function keyValuesOf(flat: Tensor, config: PromptConfigFields): KeyValues[] {
  const { numLayers: layers, numAttentionHeads: heads, numVirtualTokens: count, tokenDim } = config;
  const slices = 2 * layers!;
  const all = transpose(reshape(flat, [count, slices, heads!, tokenDim / heads!]), [1, 2, 0, 3]);
  const at = (index: number): Tensor => slice(all, [[index % slices, (index % slices) + 1]]);
  const step = 2 * config.numTransformerSubmodules;
  return Array.from({ length: layers! }, (_, i) => ({ key: at(i * step), value: at(i * step + 1) }));
}

/**
 * The flat prefix [count, layers·2·token dim] whose keys and values are the first `count` of a cache: how a cartridge or a prefix starts from a
 * text that the model has read.
 * @param cache per layer [1, heads, length, head dim]
 * @throws ShapeError if a layer has fewer positions
 * @see peft `tuners/cartridge/utils.py` prompt_embeddings_from_past_key_values
 */
export function prefixFromKeyValues(cache: readonly KeyValues[], count: number): Tensor {
  const flat = (t: Tensor): Tensor => {
    const [batch, heads, length, width] = t.shape as [number, number, number, number];
    if (batch !== 1 || length < count)
      throw new ShapeError(`prefix: keys or values are [${t.shape}], expected one sequence of at least ${count} positions`);
    const first = slice(t, [undefined, undefined, [0, count]]);
    return reshape(transpose(reshape(first, [heads, count, width]), [1, 0, 2]), [count, heads * width]);
  };
  return concat(
    cache.flatMap(({ key, value }) => [flat(key), flat(value)]),
    1,
  );
}
