import { optionError } from "../data-error.js";
import { type Batch, batchOf, type PaddingOptions, type Sequence } from "./batch.js";
import { keyed } from "./random.js";

/**
 * What comes, out of order: one of `size` that are held is drawn and its place taken by the next. For data that do not fit into memory; those that do are better shuffled whole.
 */
export async function* shuffleStream<T>(
  items: AsyncIterable<T> | Iterable<T>,
  { size, seed = 0 }: { readonly size: number; readonly seed?: number },
): AsyncGenerator<T> {
  if (!Number.isInteger(size) || size < 1) throw optionError(`shuffleStream: size is ${size}, expected an integer above 0`);
  const held: T[] = [];
  let drawn = 0;
  const draw = (): number => keyed(seed, drawn++) % held.length;
  for await (const item of items) {
    if (held.length < size) {
      held.push(item);
      continue;
    }
    const at = draw();
    yield held[at]!;
    held[at] = item;
  }
  while (held.length > 0) {
    const at = draw();
    yield held[at]!;
    held[at] = held.at(-1)!;
    held.pop();
  }
}

/** How a stream becomes batches. */
export interface StreamOptions extends PaddingOptions {
  readonly batchSize: number;
  /** Examples share rows of so many tokens: a row is closed when the next does not fit. */
  readonly packing?: { readonly length: number };
  /** A last batch that is not full is left out; false if not given. */
  readonly dropLast?: boolean;
}

/**
 * Batches of examples as they come, with the memory of a batch.
 * @throws ConfigError kind `dataset-option`
 */
export async function* streamBatches(
  examples: AsyncIterable<Sequence> | Iterable<Sequence>,
  options: StreamOptions,
): AsyncGenerator<Batch> {
  const { batchSize, packing, dropLast = false } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1) throw optionError(`batchSize is ${batchSize}, expected an integer above 0`);
  let rows: Sequence[][] = [];
  let room = 0;
  const batch = (): Batch => {
    const made = batchOf(rows, packing !== undefined, options, packing?.length);
    rows = [];
    room = 0;
    return made;
  };
  for await (const example of examples) {
    const { length } = example.ids;
    if (packing && length > packing.length)
      throw optionError(
        `packing: an example has ${length} tokens, a row has ${packing.length}`,
        "encode with maxLength, so that what is cut is counted",
      );
    if (length > room || !packing) {
      if (rows.length === batchSize) yield batch();
      rows.push([]);
      room = packing?.length ?? length;
    }
    rows.at(-1)!.push(example);
    room -= length;
  }
  if (rows.length > 0 && !(dropLast && rows.length < batchSize)) yield batch();
}
