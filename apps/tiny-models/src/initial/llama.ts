import { llamaParameters, readLlamaConfig, type ConfigJson } from "@weft/models";
import type { TorchGenerator } from "@weft/tensor-core";
import { filled, type InitialParameters, normal } from "./draw.js";

/** Matrices are normal with `initializer_range`, norms are 1. @see transformers `PreTrainedModel._init_weights` */
export function initialLlama(config: ConfigJson, generator: TorchGenerator): InitialParameters {
  const { initializer_range: std } = config as { initializer_range: number };
  const shapes = llamaParameters(readLlamaConfig(config));
  shapes.delete("lm_head.weight"); // tied to the embedding
  return new Map([...shapes].map(([name, shape]) => [name, shape.length === 1 ? filled(shape, 1) : normal(generator, shape, std)]));
}
