import { refuseZero3, type WeightSource } from "@weft/io-safetensors";
import { FormatError } from "@weft/tensor-core";
import { type PeftState, splitPeftState } from "./peft-state.js";

/** What a name of every dialect's files has at least one of: plain checkpoints need not load what tells dialects apart. */
export const ADAPTER_LIKE: RegExp = /lora|hada_|lokr_|oft_blocks|on_input|lambda_layer|\.diff(_b)?$|\.[wb]_norm$|\.a1\.weight$/;

/** What to do where one stands in the place of the other. */
export const SWAPPED = "did you swap base and adapter? weft merge BASE -a ADAPTER; weft inspect shows what a file holds";

const looksLikeAdapter = (weights: WeightSource): boolean => {
  const names = [...weights.names()];
  return names.filter((name) => name.startsWith("base_model.model.") || ADAPTER_LIKE.test(name)).length > names.length / 2;
};

/**
 * A checkpoint that may have been saved with an adapter in it, taken apart.
 * @param path what messages call it
 * @throws FormatError kinds `not-a-checkpoint` for an adapter, `zero3-leftovers`
 */
export function asBase(weights: WeightSource, path: string): { readonly base: WeightSource; readonly state: PeftState | undefined } {
  refuseZero3(weights);
  const state = splitPeftState(weights);
  if (state || !looksLikeAdapter(weights)) return { base: state?.base ?? weights, state };
  throw new FormatError(`${path}: this is an adapter, expected a checkpoint`, { kind: "not-a-checkpoint", file: path, hint: SWAPPED });
}
