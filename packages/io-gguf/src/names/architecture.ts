/**
 * How rows or axes of a weight lie in a GGUF file where they do not as in transformers' checkpoint: `q-heads` and `k-heads`, the rows of each head in the order of llama.cpp's rotary
 * embedding (`permuteHeads`), of as many heads as queries or keys have; `transposed`, `[out, in]` where transformers has `[in, out]`.
 */
export type GgufPlacement = "q-heads" | "k-heads" | "transposed";

/** What the values of a GGUF file are of those in the checkpoint: `plus-one`, w + 1, as Gemma's norms are applied; `minus-exp`, -exp(w), as a state space decays. */
export type GgufValues = "plus-one" | "minus-exp";

/**
 * How a shape differs where the values lie in one and the same order: `kernel`, `[channels, size]` where transformers has `[channels, 1, size]`; `column`, `[n, 1]` where it has `[n]`; `groups`,
 * `[groups, n / groups]` where it has `[n]`.
 */
export type GgufShape = "kernel" | "column" | "groups";

/** In what a tensor of a GGUF file differs from that of the checkpoint. */
export interface GgufDifference {
  readonly placement?: GgufPlacement;
  readonly values?: GgufValues;
  readonly form?: GgufShape;
}

/** A tensor in GGUF files, in checkpoints of transformers, and the difference. */
export type NamePair = readonly [gguf: string, hf: string, difference?: GgufDifference];

/** The names of one architecture. `N` stands for the number of a layer. */
export interface ArchitectureNames {
  /** `general.architecture` of GGUF files. */
  readonly architecture: string;
  /** What names of a checkpoint may begin with: a model with a head has it, the same without one has not. */
  readonly prefix: string;
  /** Names before `.weight` and `.bias`; what they differ in, weights do. */
  readonly tensors: readonly NamePair[];
  /** Whether biases lie as weights do. */
  readonly biasToo?: boolean;
  /** Names of tensors that are neither weight nor bias. */
  readonly whole?: readonly NamePair[];
  /** Ends of names in old checkpoints, and what they are called now. */
  readonly oldEnds?: readonly (readonly [old: string, now: string])[];
  /** Tensors of checkpoints that no GGUF file has: `nothing` of them is lost, being masks and positions; or the model computes without them what it is used for there. */
  readonly leftOut?: { readonly nothing?: RegExp; readonly heads?: RegExp };
}
