import type { EncoderText, LabelledExample } from "../encode/encode-labelled.js";
import { IGNORED } from "../encode/encoded.js";

/** What `train` of `@weft/training` takes of an encoder's examples. */
export interface LabelledRows {
  readonly inputIds: readonly Int32Array[];
  readonly attentionMask: readonly Int32Array[];
  readonly tokenTypeIds: readonly Int32Array[];
  /** Classes or numbers, one a row, or classes of tokens. */
  readonly labels?: readonly number[] | readonly Int32Array[];
  /** One for each pair. */
  readonly scores?: readonly number[];
}

/** A row of so many numbers, filled up behind. */
function filled(values: Int32Array, length: number, fill: number): Int32Array {
  const row = new Int32Array(length).fill(fill);
  row.set(values);
  return row;
}

/**
 * Examples of one task as a batch, padded on the right: of those with several texts all first ones (anchors), then all second ones, then the third.
 * @param length of the rows; that of the longest if not given
 */
export function labelledRows(
  examples: readonly LabelledExample[],
  { padId = 0, length }: { readonly padId?: number; readonly length?: number } = {},
): LabelledRows {
  const columns = examples[0]!.texts.length;
  const texts = Array.from({ length: columns }, (_, c) => examples.map((one) => one.texts[c]!)).flat();
  const width = length ?? Math.max(...texts.map(({ ids }) => ids.length));
  const rows = (of: (text: EncoderText) => Int32Array, fill: number): Int32Array[] => texts.map((text) => filled(of(text), width, fill));
  const labels = examples.map(({ label }) => label);
  const ofTokens = labels.filter((label) => label instanceof Int32Array);
  const numbers = labels.filter((label) => typeof label === "number");
  return {
    inputIds: rows(({ ids }) => ids, padId),
    attentionMask: rows(({ ids }) => new Int32Array(ids.length).fill(1), 0),
    tokenTypeIds: rows(({ typeIds }) => typeIds, 0),
    ...(ofTokens.length > 0 && { labels: ofTokens.map((one) => filled(one, width, IGNORED)) }),
    ...(numbers.length > 0 && (columns === 1 ? { labels: numbers } : { scores: numbers })),
  };
}
