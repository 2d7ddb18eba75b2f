/** Names under which the weights of a folder or a repository are looked for, in this order: that of transformers, then of PEFT and diffusers. */
export const WEIGHT_FILES = [
  "model.safetensors",
  "model.safetensors.index.json",
  "adapter_model.safetensors",
  "diffusion_pytorch_model.safetensors",
  "diffusion_pytorch_model.safetensors.index.json",
] as const;
