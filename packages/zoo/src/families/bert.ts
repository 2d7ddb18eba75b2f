import type { KnownModel } from "../known-model.js";

const bert = (width: number, layers: number, heads: number): KnownModel["config"] => ({
  model_type: "bert",
  vocab_size: 30_522,
  hidden_size: width,
  intermediate_size: 4 * width,
  num_hidden_layers: layers,
  num_attention_heads: heads,
  hidden_act: "gelu",
  layer_norm_eps: 1e-12,
  max_position_embeddings: 512,
  type_vocab_size: 2,
});

/** Encoders: BERT of Google, MiniLM of sentence-transformers. */
export const BERT_FAMILY: readonly KnownModel[] = [
  {
    repo: "sentence-transformers/all-MiniLM-L6-v2",
    licence: "Apache-2.0",
    contextLength: 512,
    parameters: 22_713_216,
    tested: "weights",
    chat: false,
    config: bert(384, 6, 12),
  },
  {
    repo: "google-bert/bert-base-uncased",
    licence: "Apache-2.0",
    contextLength: 512,
    parameters: 109_482_240,
    tested: "architecture",
    chat: false,
    config: bert(768, 12, 12),
  },
];
