/** Formats of quantised checkpoints of safetensors, by the names of the command line. */
export const QUANT_TARGETS = ["nf4", "fp4", "int8", "awq", "gptq", "fp8", "w4a16", "w8a16", "nvfp4"] as const;

/** A name of these formats. */
export type QuantTargetName = (typeof QUANT_TARGETS)[number];
