/** Formats of quantised checkpoints of safetensors, by the names of the command line. */
export const QUANT_TARGETS = ["nf4", "fp4", "int8", "awq", "gptq", "fp8", "w4a16", "w8a16", "nvfp4"] as const;

/** A name of these formats. */
export type QuantTargetName = (typeof QUANT_TARGETS)[number];

/** Mixtures of types of GGUF files, by llama.cpp's names; those of numbers are `f32`, `f16`, `bf16`. */
export const GGUF_TARGETS = [
  "f32",
  "f16",
  "bf16",
  "q4_0",
  "q4_1",
  "q5_0",
  "q5_1",
  "q8_0",
  "q2_k",
  "q3_k_s",
  "q3_k_m",
  "q3_k_l",
  "q4_k_s",
  "q4_k_m",
  "q5_k_s",
  "q5_k_m",
  "q6_k",
  "iq4_nl",
  "iq4_xs",
] as const;

/** A name of these mixtures. */
export type GgufTargetName = (typeof GGUF_TARGETS)[number];

/** Other names of mixtures, as llama.cpp has them. @see llama.cpp `tools/quantize/quantize.cpp` */
export const GGUF_ALIASES: { readonly q3_k: "q3_k_m"; readonly q4_k: "q4_k_m"; readonly q5_k: "q5_k_m" } = {
  q3_k: "q3_k_m",
  q4_k: "q4_k_m",
  q5_k: "q5_k_m",
};
