import type { NameMap } from "./name-map.js";
import { pairs } from "./rows.js";
import { tableMap } from "./table-map.js";

const [OPEN, CLIP] = ["transformer.resblocks.#.", "text_model.encoder.layers.#."];

/**
 * CLIP's text model: OpenCLIP's names, as checkpoints of SD 2 and SDXL have them, and transformers'.
 * @see diffusers `loaders/single_file_utils.py` convert_open_clip_checkpoint
 */
export const CLIP_TEXT: NameMap = tableMap([
  ...pairs(OPEN, CLIP, {
    "attn.in_proj": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    ln_1: "layer_norm1",
    ln_2: "layer_norm2",
  }),
  ...pairs("", "text_model.", {
    token_embedding: "embeddings.token_embedding",
    positional_embedding: "embeddings.position_embedding",
    ln_final: "final_layer_norm",
  }),
]);
