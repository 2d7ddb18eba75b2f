import type { ArchitectureNames } from "./architecture.js";
import { HALVES, LLAMA_BODY } from "./llama.js";

const QWEN2_TENSORS = [...LLAMA_BODY, ...HALVES];

/** Rotates halves in both. */
export const QWEN2: ArchitectureNames = { architecture: "qwen2", prefix: "model.", tensors: QWEN2_TENSORS };

/** As Qwen2, with norms of queries and keys. */
export const QWEN3: ArchitectureNames = {
  architecture: "qwen3",
  prefix: "model.",
  tensors: [
    ...QWEN2_TENSORS,
    ["blk.N.attn_q_norm", "model.layers.N.self_attn.q_norm"],
    ["blk.N.attn_k_norm", "model.layers.N.self_attn.k_norm"],
  ],
};
