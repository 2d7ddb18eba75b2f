import type { Shape } from "@weft/tensor-core";

/** How one parameter is stepped besides what all have in common. */
export interface ParameterGroup {
  /** Its learning rate as a multiple of that of the schedule. */
  readonly lrScale: number;
  /** Whether weights decay. */
  readonly decays: boolean;
}

/** Which groups parameters are put into. */
export interface GroupOptions {
  readonly learningRate: number;
  /** LoRA+: how many times the rate of A is that of B; 1 for none. At least 1 is meant. */
  readonly loraplusLrRatio?: number;
  /** LoRA+: the rate of LoRAs on embeddings; PEFT's 1e-6 if not given. */
  readonly loraplusLrEmbedding?: number;
  /** Whether the parameter is of a norm, whatever its name. */
  readonly isNorm?: boolean;
}

/** Names that transformers takes out of weight decay, of the whole lower-case name. */
const NO_DECAY = [/bias/, /layernorm/, /rmsnorm/, /(?:^|\.)norm(?:$|\.)/, /_norm(?:$|\.)/];

/**
 * The group of a parameter: biases and norms do not decay; with LoRA+ B, and vectors, have `loraplusLrRatio` times the rate, and LoRAs on embeddings one of their own.
 * @param name as PEFT has it
 * @see transformers `trainer.py` get_decay_parameter_names; Hayou et al. 2024; peft `optimizers/loraplus.py`
 */
export function parameterGroup(name: string, shape: Shape, options: GroupOptions): ParameterGroup {
  const { loraplusLrRatio: ratio = 1, loraplusLrEmbedding: embedding = 1e-6, learningRate, isNorm = false } = options;
  const decays = !isNorm && !NO_DECAY.some((pattern) => pattern.test(name.toLowerCase()));
  if (ratio === 1) return { lrScale: 1, decays };
  if (name.includes("lora_embedding")) return { lrScale: embedding / learningRate, decays };
  return { lrScale: name.includes("lora_B") || shape.length === 1 ? ratio : 1, decays };
}
