import type { ModelKind } from "./model-kind.js";

const positive = (value: unknown): number | undefined => (typeof value === "number" && value > 0 ? value : undefined);

/**
 * Rows of an attention's projections: heads · head_dim for q, key-value heads · head_dim for k and v.
 * @param names of the projections
 * @param config config.json of the model; that of its text model is inside it for models of several parts
 * @returns undefined if a name is none of these, or the config does not tell
 */
export function projectionSizes(names: readonly string[], config: ModelKind | undefined): number[] | undefined {
  const inner = config?.text_config;
  const { num_attention_heads, num_key_value_heads, head_dim, hidden_size } =
    (inner && typeof inner === "object" ? inner : config) ?? ({} as ModelKind);
  const heads = positive(num_attention_heads);
  if (heads === undefined) return undefined;
  const dim = positive(head_dim) ?? (positive(hidden_size) ?? NaN) / heads;
  const groups = positive(num_key_value_heads) ?? heads;
  const sizes = names.map((name) => {
    const [, which] = /(?:^|\.)([qkv])_proj(?:\.|$)/.exec(name) ?? [];
    return which === undefined ? NaN : which === "q" ? heads * dim : groups * dim;
  });
  return sizes.every(Number.isInteger) ? sizes : undefined;
}
