/**
 * Bytes that QLoRA takes at its peak, by repository: `memoryToTrain` with NF4, rank 8 on all linear layers, one row of 512 tokens, on the CPU.
 * Written by scripts/measure-qlora.ts.
 */
export const QLORA_BYTES: { readonly [repo: string]: number } = {
  "HuggingFaceTB/SmolLM2-135M-Instruct": 571598580,
  "HuggingFaceTB/SmolLM2-360M-Instruct": 1068858684,
  "HuggingFaceTB/SmolLM2-1.7B-Instruct": 2843200732,
  "HuggingFaceTB/SmolLM3-3B": 4974186268,
  "Qwen/Qwen2.5-0.5B-Instruct": 1337534300,
  "Qwen/Qwen2.5-1.5B-Instruct": 2995784396,
  "Qwen/Qwen2.5-3B-Instruct": 5021296300,
  "Qwen/Qwen2.5-7B-Instruct": 9540507276,
  "Qwen/Qwen3-0.6B": 1560931852,
  "Qwen/Qwen3-1.7B": 3008357132,
  "Qwen/Qwen3-4B": 5858464748,
  "Qwen/Qwen3-8B": 10161512172,
  "TinyLlama/TinyLlama-1.1B-Chat-v1.0": 1962333220,
  "meta-llama/Llama-3.2-1B-Instruct": 2119913645,
  "meta-llama/Llama-3.2-3B-Instruct": 4499178109,
  "meta-llama/Llama-3.1-8B-Instruct": 9679217389,
  "mistralai/Mistral-7B-Instruct-v0.3": 8114734365,
  "google/gemma-2-2b-it": 5717324436,
  "google/gemma-3-1b-it": 3062737188,
  "microsoft/Phi-3-mini-4k-instruct": 5102074637,
  "openai-community/gpt2": 715333276,
  "openai-community/gpt2-medium": 1862910172,
  "state-spaces/mamba-130m-hf": 984876013,
  "RWKV/rwkv-4-169m-pile": 622775164,
};
