import { encodedOf, type EncodedExample, exampleRows, planEpoch, type PlanOptions, trainedCount } from "@weft/datasets";
import type { Batch } from "@weft/training";
import type { FineTuningSettings } from "./settings.js";

/** Lengths of rows are rounded up to these: each has a plan of its own. */
const LENGTH_STEP = 32;

/** Batches at a time that are sorted by length, as transformers does with `group_by_length`. */
const BUCKETED_BATCHES = 50;

type BatchSettings = Pick<FineTuningSettings, "perDeviceTrainBatchSize" | "seed" | "packing" | "maxLength" | "groupByLength">;

/** Those examples of which something is trained on. */
export const trainable = (examples: readonly EncodedExample[]): EncodedExample[] =>
  examples.filter((example) => encodedOf(example).every((one) => trainedCount(one) > 0));

/**
 * The batches of an epoch, which depend on examples, settings and its number alone.
 * @param epoch from 0 on
 * @param shuffle false for evaluations
 */
export function* epochBatches(
  examples: readonly EncodedExample[],
  { perDeviceTrainBatchSize: batchSize, seed, packing, maxLength, groupByLength }: BatchSettings,
  epoch: number,
  shuffle = true,
): Generator<Batch> {
  const lengths = examples.map((example) => Math.max(...encodedOf(example).map(({ ids }) => ids.length)));
  const options: PlanOptions = {
    batchSize,
    seed,
    shuffle,
    ...(packing && { packing: { length: maxLength } }),
    ...(groupByLength && !packing && { bucketing: BUCKETED_BATCHES }),
  };
  for (const rows of planEpoch(lengths, options, epoch)) {
    const longest = Math.max(...rows.flat().map((i) => lengths[i]!));
    const length = packing ? maxLength : Math.min(maxLength, Math.ceil(longest / LENGTH_STEP) * LENGTH_STEP);
    yield {
      ...exampleRows(
        rows.map((row) => row.map((i) => examples[i]!)),
        { packed: packing === true, length },
      ),
    };
  }
}

/**
 * One epoch after the other each time that it is gone through, with a `length`: what `train` takes.
 * @param first number of the epoch that comes first
 */
export function epochsFrom(
  examples: readonly EncodedExample[],
  settings: BatchSettings,
  first: number,
): Iterable<Batch> & { readonly length: number } {
  const batches = [...epochBatches(examples, settings, 0)].length;
  let epoch = first;
  return Object.assign({ [Symbol.iterator]: () => epochBatches(examples, settings, epoch++) }, { length: batches });
}
