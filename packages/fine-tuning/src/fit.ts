import {
  type Batch,
  estimateMemory,
  estimateTime,
  type SmallerOffer,
  smallerOffers,
  type Trainee,
  type TrainingMemory,
  type TrainingOptions,
  type TrainingTime,
} from "@weft/training";

/** What a training takes on a device. */
export interface Fit {
  /** Of the largest batch. */
  readonly memory: TrainingMemory;
  /** How it would need less. */
  readonly offers: readonly SmallerOffer[];
}

/** Rows times tokens. */
const sizeOf = ({ inputIds }: Batch): number => inputIds.length * (inputIds as readonly ArrayLike<number>[])[0]!.length;

/** The batch that takes most: of most rows times tokens, the first of several. */
export function largestBatch(batches: Iterable<Batch>): Batch {
  let largest: Batch | undefined;
  for (const batch of batches) if (!largest || sizeOf(batch) > sizeOf(largest)) largest = batch;
  return largest!;
}

/**
 * What training takes, and how it would take less; nothing is trained.
 * @param batch of {@link largestBatch}
 * @param withRank the adapter's rank, and one of another rank; undefined for adapters without
 */
export async function fitOf(
  trainee: Trainee,
  batch: Batch,
  options: TrainingOptions,
  withRank?: { readonly rank: number; readonly trainee: (rank: number) => Promise<Trainee> },
): Promise<Fit> {
  return {
    memory: await estimateMemory(trainee, batch, options),
    offers: await smallerOffers(trainee, batch, options, withRank && withRank.rank > 1 ? { withRank } : {}),
  };
}

/** How long the steps take, in seconds: of a measured step of the largest batch, by the mean size of batches. @param steps of the whole training */
export async function timeOf(
  trainee: Trainee,
  batches: Iterable<Batch>,
  options: TrainingOptions,
  steps: number,
): Promise<TrainingTime & { readonly seconds: number }> {
  const all = [...batches];
  const largest = largestBatch(all);
  const time = await estimateTime(trainee, largest, options);
  const share = all.reduce((sum, batch) => sum + sizeOf(batch), 0) / all.length / sizeOf(largest);
  return { ...time, secondsPerStep: time.secondsPerStep * share, seconds: time.secondsPerStep * share * steps };
}

/** Steps of the optimiser that settings mean for so many batches of an epoch. */
export function stepsOf(
  {
    maxSteps,
    numTrainEpochs = 3,
    gradientAccumulationSteps = 1,
  }: { readonly maxSteps?: number; readonly numTrainEpochs?: number; readonly gradientAccumulationSteps?: number },
  batches: number,
): number {
  return maxSteps ?? Math.ceil(Math.ceil(batches / gradientAccumulationSteps) * numTrainEpochs);
}
