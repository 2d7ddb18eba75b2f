import { type Coverage, coverageOf, type Encoded, encodedOf, type EncodedExample, splitExamples } from "@weft/datasets";
import { readRowsOf } from "@weft/datasets/node";
import { digestOfExamples, encodeRows, epochBatches, epochsFrom, trainable } from "@weft/fine-tuning";
import type { Batch } from "@weft/training";
import type { Context } from "../context.js";
import { UsageError } from "../failure.js";
import type { OpenedModel } from "../models/open-model.js";
import type { TextConfig } from "./train-config.js";

/** Examples that a person is shown. */
const SHOWN = 3;

/** What a training is given. */
export interface DataOfTraining {
  /** What a language model would learn; undefined of an encoder's data, of which all is learnt. */
  readonly coverage: Coverage | undefined;
  /** The first examples of a language model, as they were read. */
  readonly first: readonly Encoded[];
  /** Batches of an epoch. */
  readonly batches: number;
  /** One epoch after the other each time that it is gone through, the first one being that of the number; it has a `length`. */
  from(epoch: number): Iterable<Batch>;
  readonly evaluation: readonly Batch[] | undefined;
  /** SHA-256 of the ids and labels of all examples, in their order. */
  readonly digest: string;
}

/** Reads, encodes and divides the data. @throws what `readRowsOf` and `encodeRows` throw; UsageError for settings that do not go together */
export async function readTrainingData(
  config: TextConfig,
  model: Pick<OpenedModel, "base" | "files">,
  context: Context,
): Promise<DataOfTraining & { readonly coverage: Coverage }> {
  const { objective, packing, validationFile, validationShare, seed, perDeviceTrainBatchSize } = config;
  if (packing && objective !== "sft")
    throw new UsageError(`--packing is for sft: the rows of ${objective} are compared`, "leave --packing out");
  if (objective === "kto" && perDeviceTrainBatchSize < 2)
    throw new UsageError("kto compares the examples of a batch, which has one", "--batch-size 2 or more");
  const read = await readExamples(config.trainFile, config, model, context);
  const divided = validationShare === undefined ? undefined : splitExamples(read, { share: validationShare, seed });
  const coverage = coverageOf((divided?.train ?? read).flatMap(encodedOf));
  const examples = trained(divided?.train ?? read, config.trainFile, context);
  const others = validationFile === undefined ? divided?.evaluation : await readExamples(validationFile, config, model, context);
  const evaluation = others && trained(others, validationFile ?? config.trainFile, context);
  if (evaluation?.length === 0)
    throw new UsageError(
      "there is no example to evaluate on",
      validationFile === undefined ? "a larger --eval-share" : "look at --eval-data",
    );
  return {
    coverage,
    first: (divided?.train ?? read).slice(0, SHOWN).flatMap(encodedOf),
    batches: epochsFrom(examples, config, 0).length,
    digest: await digestOfExamples(examples),
    from: (first) => epochsFrom(examples, config, first),
    evaluation: evaluation && [...epochBatches(evaluation, config, 0, false)],
  };
}

const readExamples = (
  file: string,
  config: TextConfig,
  { base, files }: Pick<OpenedModel, "base" | "files">,
  { signal }: Context,
): Promise<EncodedExample[]> =>
  encodeRows(readRowsOf(file, { offline: config.offline }), file, config, files, base.config.vocabSize, signal);

/** The examples of which something is trained on; how many there are without is said. */
function trained(examples: readonly EncodedExample[], file: string, { out }: Context): EncodedExample[] {
  const kept = trainable(examples);
  const left = examples.length - kept.length;
  if (left > 0)
    out.warn({
      kind: "nothing-trained",
      message: `${file}: ${left} of ${examples.length} examples have nothing that is trained on, and are left out; --dry-run shows examples`,
    });
  return kept;
}
