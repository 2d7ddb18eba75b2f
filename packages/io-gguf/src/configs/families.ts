import { BERT } from "./bert.js";
import { LLAMA, QWEN2, QWEN3, SMOLLM3 } from "./decoder.js";
import type { Family } from "./family.js";
import { GEMMA2, GEMMA3 } from "./gemma.js";
import { GPT2 } from "./gpt2.js";
import { MAMBA, MAMBA2 } from "./mamba.js";
import { PHI3 } from "./phi3.js";

/** Models that are read of GGUF files, and written as them. */
export const FAMILIES: readonly Family[] = [LLAMA, QWEN2, QWEN3, SMOLLM3, PHI3, GEMMA2, GEMMA3, MAMBA, MAMBA2, GPT2, BERT];
