/** Module names that hold underscores of their own. */
const COMPOUNDS = `
down_blocks up_blocks mid_block input_blocks output_blocks middle_block transformer_blocks single_transformer_blocks double_blocks single_blocks joint_blocks
x_block context_block to_q to_k to_v to_out to_qkv to_kv add_q_proj add_k_proj add_v_proj to_add_out proj_in proj_out proj_mlp time_emb_proj time_embedding
add_embedding time_embed label_emb linear_1 linear_2 conv_in conv_out conv_shortcut in_layers out_layers emb_layers skip_connection self_attn cross_attn
encoder_attn q_proj k_proj v_proj o_proj out_proj qkv_proj gate_proj up_proj down_proj gate_up_proj in_proj text_model vision_model text_projection
visual_projection position_embedding token_embedding final_layer_norm layer_norm layer_norm1 layer_norm2 ff_context norm_out norm1_context norm_q norm_k
norm_added_q norm_added_k x_embedder context_embedder time_text_embed timestep_embedder text_embedder guidance_embedder pos_embed img_attn txt_attn img_mlp
txt_mlp img_mod txt_mod img_in txt_in time_in vector_in guidance_in in_layer out_layer final_layer adaLN_modulation t_embedder y_embedder embed_tokens
lm_head input_layernorm post_attention_layernorm block_sparse_moe shared_expert mixed_qkv dense_h_to_4h dense_4h_to_h query_key_value c_attn c_proj c_fc
self_attention cross_attention caption_projection wi_0 wi_1 relative_attention_bias SelfAttention EncDecAttention DenseReluDense
`
  .trim()
  .split(/\s+/)
  .filter((name) => name.includes("_"));

/** Compounds by their first word, the longest first. */
const BY_WORD: ReadonlyMap<string, readonly (readonly string[])[]> = (() => {
  const table = new Map<string, string[][]>();
  for (const words of COMPOUNDS.map((name) => name.split("_"))) table.set(words[0]!, [...(table.get(words[0]!) ?? []), words]);
  for (const list of table.values()) list.sort((a, b) => b.length - a.length);
  return table;
})();

/**
 * A guess at the dots of a flattened path: the longest known compound at every place, other words and numbers one by one. Without the model's own
 * names nothing can tell `to_q` from `to.q`, so whoever uses this must say that it is a guess.
 */
export function guessPath(flat: string): string {
  const words = flat.split("_");
  const parts: string[] = [];
  for (let at = 0; at < words.length;) {
    const compound = BY_WORD.get(words[at]!)?.find((candidate) => candidate.every((word, i) => words[at + i] === word));
    const count = compound?.length ?? 1;
    parts.push(words.slice(at, at + count).join("_"));
    at += count;
  }
  return parts.join(".");
}
