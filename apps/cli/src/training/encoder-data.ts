import { createHash } from "node:crypto";
import { encodeLabelled, type EncoderTask, type LabelledExample, labelledRows, planEpoch, splitExamples } from "@weft/datasets";
import { readRowsOf } from "@weft/datasets/node";
import { ConfigError } from "@weft/tensor-core";
import type { Batch } from "@weft/training";
import { UsageError } from "../failure.js";
import type { OpenedModel } from "../models/open-model.js";
import type { TrainConfig } from "./train-config.js";
import type { DataOfTraining } from "./training-data.js";

/** Batches at a time that are sorted by length, as transformers does with `group_by_length`. */
const BUCKETED_BATCHES = 50;

/** Lengths of rows are rounded up to these: each has a plan of its own. */
const LENGTH_STEP = 8;

/** Data of an encoder, with the classes that its labels are numbers of. */
export interface EncoderData extends DataOfTraining {
  readonly classes: readonly string[];
  /** Anchors have negatives of their own. */
  readonly hardNegatives: boolean;
}

/** Reads, encodes and divides the data of an encoder. @throws what `readRowsOf` and `encodeLabelled` throw; UsageError, ConfigError kind `dataset-empty` */
export async function readEncoderData(
  config: TrainConfig,
  task: EncoderTask,
  { tokenizer }: OpenedModel["files"],
  vocabSize: number,
): Promise<EncoderData> {
  const { trainFile, validationFile, validationShare, seed, packing, maxLength, columns, offline } = config;
  if (packing) throw new UsageError("--packing is for language models", "--group-by-length leaves less padding");
  const options = { task, tokenizer, maxLength, ...(columns && { columns }) };
  const { examples, classes } = await encodeLabelled(readRowsOf(trainFile, { offline }), options);
  const unknown = examples.flatMap(({ texts }) => texts.flatMap(({ ids }) => ids.find((id) => id >= vocabSize) ?? []))[0];
  if (unknown !== undefined)
    throw new UsageError(
      `${trainFile}: the tokenizer makes a token ${unknown}, and the model has ${vocabSize}`,
      "the tokenizer is of another model: the model's own tokenizer.json belongs beside its config.json",
    );
  const divided = validationShare === undefined ? undefined : splitExamples(examples, { share: validationShare, seed });
  const train = divided?.train ?? examples;
  const others =
    validationFile === undefined
      ? divided?.evaluation
      : (await encodeLabelled(readRowsOf(validationFile, { offline }), { ...options, classes })).examples;
  if (train.length === 0)
    throw new ConfigError(`${trainFile}: there are no examples`, { kind: "dataset-empty", hint: "check the file, and --eval-share" });
  if (others?.length === 0)
    throw new UsageError(
      "there is no example to evaluate on",
      validationFile === undefined ? "a larger --eval-share" : "look at --eval-data",
    );
  if (task.endsWith("classification") && classes.length < 2)
    throw new UsageError(`${trainFile}: there is one class alone (${classes.join()}), and nothing to tell apart`, "look at the labels");
  const batches = [...epochOf(train, config, 0)].length;
  return {
    coverage: undefined,
    first: [],
    classes,
    hardNegatives: task === "contrastive" && train[0]!.texts.length === 3,
    batches,
    digest: digestOf(train),
    from: (first) => {
      let epoch = first;
      return Object.assign({ [Symbol.iterator]: () => epochOf(train, config, epoch++) }, { length: batches });
    },
    evaluation: others && [...epochOf(others, config, 0, false)],
  };
}

function digestOf(examples: readonly LabelledExample[]): string {
  const hash = createHash("sha256");
  for (const { texts, label } of examples) {
    for (const { ids } of texts) hash.update(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength));
    hash.update(JSON.stringify(label instanceof Int32Array ? [...label] : (label ?? null)));
  }
  return hash.digest("hex");
}

/** The batches of an epoch, which depend on data, settings and its number alone. */
function* epochOf(
  examples: readonly LabelledExample[],
  { perDeviceTrainBatchSize: batchSize, seed, groupByLength, maxLength }: TrainConfig,
  epoch: number,
  shuffle = true,
): Generator<Batch> {
  const lengths = examples.map(({ texts }) => Math.max(...texts.map(({ ids }) => ids.length)));
  for (const rows of planEpoch(lengths, { batchSize, seed, shuffle, ...(groupByLength && { bucketing: BUCKETED_BATCHES }) }, epoch)) {
    const longest = Math.max(...rows.flat().map((i) => lengths[i]!));
    const length = Math.min(maxLength, Math.ceil(longest / LENGTH_STEP) * LENGTH_STEP);
    yield {
      ...labelledRows(
        rows.flat().map((i) => examples[i]!),
        { length },
      ),
    };
  }
}
