import type { LayerHook } from "@weft/registry";
import { checkpoint } from "@weft/tensor-core";

/** Of each block only the input is kept for the backward pass, which computes the block again. @see Chen et al. 2016 */
export const checkpointBlocks: LayerHook = (_path, { kind }, { forward }, x) =>
  kind === "block" && forward ? checkpoint(forward)(x) : undefined;
