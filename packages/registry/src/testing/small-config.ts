import type { AdapterMethod } from "@weft/tensor-core";
import type { FieldValues } from "./every-field.js";

/** Sizes that go with small layers; by method, where others are needed. */
const SMALL: FieldValues = {
  r: 2,
  n_frequency: 8,
  num_vectors: 8,
  vector_length: 4,
  topk: 2,
  init_r: 4,
  target_r: 2,
  block_size: 4,
  group_size: 4,
  sparsity: 0.5,
};
const OWN: { readonly [method: string]: FieldValues } = {
  OFT: { r: 0, oft_block_size: 4 },
  LOKR: { r: 1 },
  TRAINABLE_TOKENS: { token_indices: [1, 3] },
};

/** Fields of a method for layers of some 16 features. */
export function smallConfig({ name, fields }: AdapterMethod<never>): FieldValues {
  return Object.fromEntries(Object.entries({ ...SMALL, ...OWN[name] }).filter(([field, value]) => fields[field]?.check(value)));
}
