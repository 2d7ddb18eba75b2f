import { ConfigError } from "@weft/tensor-core";
import { optionError } from "../data-error.js";
import { type Batch, batchOf, type PaddingOptions, type Sequence } from "./batch.js";
import { planEpoch, type PlanOptions } from "./plan-epoch.js";

/** Where a run stands in its data: all that is needed to go on from there. */
export interface DataState {
  readonly seed: number;
  /** From 0. */
  readonly epoch: number;
  /** Batches of the epoch that are done. */
  readonly position: number;
}

/** How examples become batches. */
export interface LoadOptions extends PlanOptions, PaddingOptions {
  /** How often all examples are gone through; without end if not given. */
  readonly epochs?: number;
  /** Goes on from here, as `state` of a batch says; the seed must be the same. */
  readonly state?: DataState;
}

/** A batch, and where the data stand behind it. */
export interface LoadedBatch extends Batch {
  /** To go on with the batch after this one. */
  readonly state: DataState;
}

/** How many batches an epoch has. @throws ConfigError kind `dataset-option` */
export const batchesPerEpoch = (examples: readonly Sequence[], options: PlanOptions): number =>
  planEpoch(
    examples.map(({ ids }) => ids.length),
    options,
    0,
  ).length;

/**
 * Batches of examples that are in memory, epoch after epoch, each in an order of its own. Which batch comes when depends on seed and epoch alone, so that a run goes on
 * from the `state` of a batch with the batches that would have come.
 * @throws ConfigError kinds `dataset-empty`, `dataset-option`
 */
export async function* loadBatches(examples: readonly Sequence[], options: LoadOptions): AsyncGenerator<LoadedBatch> {
  const { epochs = Infinity, seed = 0, packing } = options;
  const { state = { seed, epoch: 0, position: 0 } } = options;
  if (examples.length === 0)
    throw new ConfigError("there are no examples", {
      kind: "dataset-empty",
      hint: "check the file, and what a filter or a split has left",
    });
  if (state.seed !== seed) throw optionError(`the state is of a run with seed ${state.seed}, the seed is ${seed}`);
  const lengths = examples.map(({ ids }) => ids.length);
  for (let { epoch, position } = state; epoch < epochs; epoch++, position = 0) {
    const plan = planEpoch(lengths, options, epoch);
    if (plan.length === 0)
      throw new ConfigError("an epoch has no batch", { kind: "dataset-empty", hint: "a smaller batchSize, or dropLast: false" });
    for (; position < plan.length; position++) {
      const rows = plan[position]!.map((row) => row.map((i) => examples[i]!));
      const last = position + 1 === plan.length;
      const next = last ? { seed, epoch: epoch + 1, position: 0 } : { seed, epoch, position: position + 1 };
      yield { ...batchOf(rows, packing !== undefined, options, packing?.length), state: next };
    }
  }
}
