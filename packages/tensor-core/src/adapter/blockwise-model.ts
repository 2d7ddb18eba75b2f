import type { Tensor } from "../graph.js";
import type { BaseLayer, LayerSpec } from "./layer.js";

/** Layers of a block that see the same input. */
export interface SharedInput {
  /** Their module paths, in the order of the Python model. */
  readonly layers: readonly string[];
  /**
   * The module that the input comes from, if it can be scaled feature by feature and nothing else sees it: a norm, or a linear layer whose rows are the features. What is taken
   * out of it there is put into the columns of `layers` instead, and the model computes the same.
   */
  readonly before?: string;
  /** The layer whose result shows what a change of `layers` does to the block: the last one of the part (attention, feed-forward) that they belong to. */
  readonly result: string;
}

/** A model that can be gone through block by block: what comes out of one is what goes into the next. */
export interface BlockwiseModel {
  readonly blockCount: number;
  /** What the first block sees of token ids i32 [batch, length]: [batch, length, hidden]. */
  embed(inputIds: Tensor): Tensor;
  /** Block `i` over hidden states [batch, length, hidden] of whole sequences. @param hook sees every layer of it, and may take its place */
  runBlock(i: number, hidden: Tensor, hook?: (path: string, layer: LayerSpec, base: BaseLayer, x: Tensor) => Tensor | undefined): Tensor;
  /** The linear layers of block `i` by their inputs, in the order in which they run. */
  sharedInputs(i: number): readonly SharedInput[];
  /** Every layer with its weight and bias. */
  layers(): readonly { readonly path: string; readonly layer: LayerSpec; readonly base: BaseLayer }[];
}
