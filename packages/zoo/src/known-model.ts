/** What of a model runs in this project's own tests. */
export type Tested =
  /** Its published weights: logits, answers and fine-tuning beside the Python originals. */
  | "weights"
  /** Its architecture, with small random weights, beside the Python original. */
  | "architecture";

/** A model of the Hugging Face hub. */
export interface KnownModel {
  /** Its repository: `user/name`. */
  readonly repo: string;
  /** SPDX identifier where there is one; else the name that the publisher gives its terms. */
  readonly licence: string;
  /** Positions that it was made for. */
  readonly contextLength: number;
  /** Parameters, tied ones once. */
  readonly parameters: number;
  readonly tested: Tested;
  /** True for instruction-tuned models, which have a chat template. */
  readonly chat: boolean;
  /** The fields of its `config.json` that shapes depend on. */
  readonly config: { readonly model_type: string; readonly [field: string]: unknown };
}
