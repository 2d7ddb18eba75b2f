import type { LazyTensor } from "./lazy-tensor.js";

/** A tensor that a PEFT adapter brings beside its modules, under its name there; only PEFT's files have a place for it. */
export interface WholeTensor {
  readonly name: string;
  readonly tensor: LazyTensor;
  /** PEFT's fields that say what it is. */
  readonly config: { readonly [field: string]: unknown };
}
