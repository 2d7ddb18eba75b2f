import { LlamaForCausalLM, llamaParameters, readLlamaConfig } from "@weft/models";
import type { Device, Tensor } from "@weft/tensor-core";
import { numbers } from "../matmul/product.js";

/** Sizes of a model of the Llama family. */
export interface LlamaShape {
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly intermediate: number;
  readonly vocabulary: number;
}

/** As `config.json` of such a model says it. */
export const configOf = (shape: LlamaShape): Readonly<Record<string, unknown>> => ({
  model_type: "llama",
  hidden_size: shape.hidden,
  num_hidden_layers: shape.layers,
  num_attention_heads: shape.heads,
  num_key_value_heads: shape.keyValueHeads,
  intermediate_size: shape.intermediate,
  vocab_size: shape.vocabulary,
});

/** A Llama of given sizes with random weights. */
export function randomLlama(device: Device, shape: LlamaShape): LlamaForCausalLM {
  const config = readLlamaConfig(configOf(shape));
  const weights = new Map<string, Tensor>();
  let seed = 3;
  for (const [name, size] of llamaParameters(config)) {
    // Of the size that initialisers give: activations stay of size about 1.
    const scale = size.length === 1 ? 1 : 2 / Math.sqrt(size.at(-1)!);
    const values = numbers(
      size.reduce((a, b) => a * b, 1),
      (seed += 4),
    ).map((v) => (size.length === 1 ? 1 + 0.1 * v : scale * v));
    weights.set(name, device.tensor(values, { shape: size }));
  }
  return new LlamaForCausalLM(config, weights, { device });
}
