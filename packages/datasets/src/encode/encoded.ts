import type { Place } from "../data-error.js";

/** The label of a token that is not trained on, as transformers and torch have it. */
export const IGNORED = -100;

/** What is worth knowing of an example that was encoded, and does not stop a run. */
export interface EncodeWarning {
  readonly kind: "prompt-not-prefix" | "turn-rewritten" | "no-end-token";
  readonly message: string;
}

/** A token that truncation cut off. */
export interface CutToken {
  readonly id: number;
  /** From, to in the text. */
  readonly offset: readonly [number, number];
}

/** A turn of a text: where it stands in it, in UTF-16 units, and whose it is. */
export interface Turn {
  readonly role: string;
  readonly from: number;
  readonly to: number;
}

/** A text as tokens, with what is trained on. */
export interface Encoded {
  /** Token ids. */
  readonly ids: Int32Array;
  /** The id where a token is trained on, {@link IGNORED} where not; not shifted, and never that of the first token, which nothing predicts. */
  readonly labels: Int32Array;
  /** The text that the tokens are of. */
  readonly text: string;
  /** Where each token stands in the text, from and to, two numbers each; those of a token that was added are those of the end. */
  readonly offsets: Int32Array;
  readonly turns: readonly Turn[];
  /** What was cut off in front and behind. */
  readonly cut: { readonly front: readonly CutToken[]; readonly back: readonly CutToken[] };
  /** Whether a token that ends an answer is trained on, so that the model learns to stop; undefined if nothing says which tokens do. */
  readonly endTrained: boolean | undefined;
  readonly warnings: readonly EncodeWarning[];
  readonly place: Place;
}

/** Tokens that are trained on. */
export function trainedCount({ labels }: Pick<Encoded, "labels">): number {
  let count = 0;
  for (const label of labels) if (label !== IGNORED) count++;
  return count;
}
