/**
 * How a weight lies in a GGUF file where it is not as in transformers' checkpoint: `q-heads` and `k-heads`, the rows of each head in the order of llama.cpp's rotary
 * embedding (`permuteHeads`), of as many heads as queries or keys have; `transposed`, `[out, in]` where transformers has `[in, out]`.
 */
export type GgufPlacement = "q-heads" | "k-heads" | "transposed";

/** The names of one architecture. `N` stands for the number of a layer; `.weight` and `.bias` follow. */
export interface ArchitectureNames {
  /** `general.architecture` of GGUF files. */
  readonly architecture: string;
  /** What names of a checkpoint may begin with: a model with a head has it, the same without one has not. */
  readonly prefix: string;
  /** GGUF, transformers, and how weights lie if not the same way. */
  readonly tensors: readonly (readonly [gguf: string, hf: string, placement?: GgufPlacement])[];
  /** Whether biases lie as weights do. */
  readonly biasToo?: boolean;
}
