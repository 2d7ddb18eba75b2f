import type { ArchitectureNames, GgufDifference } from "./architecture.js";

const TRANSPOSED: GgufDifference = { placement: "transposed" };

/** Its linear layers are Conv1D, whose weights are `[in, out]`. @see llama.cpp `convert_hf_to_gguf.py` GPT2Model */
export const GPT2: ArchitectureNames = {
  architecture: "gpt2",
  prefix: "transformer.",
  leftOut: { nothing: /\.attn\.(masked_)?bias$/ },
  tensors: [
    ["token_embd", "transformer.wte"],
    ["position_embd", "transformer.wpe"],
    ["output_norm", "transformer.ln_f"],
    ["output", "lm_head"],
    ["blk.N.attn_norm", "transformer.h.N.ln_1"],
    ["blk.N.attn_qkv", "transformer.h.N.attn.c_attn", TRANSPOSED],
    ["blk.N.attn_output", "transformer.h.N.attn.c_proj", TRANSPOSED],
    ["blk.N.ffn_norm", "transformer.h.N.ln_2"],
    ["blk.N.ffn_up", "transformer.h.N.mlp.c_fc", TRANSPOSED],
    ["blk.N.ffn_down", "transformer.h.N.mlp.c_proj", TRANSPOSED],
  ],
};
