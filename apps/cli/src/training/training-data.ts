import { createHash } from "node:crypto";
import {
  coverageOf,
  type Coverage,
  type Encoded,
  encodedOf,
  encodeExamples,
  type EncodedExample,
  exampleRows,
  planEpoch,
  type PlanOptions,
  splitExamples,
  toExamples,
  trainedCount,
} from "@weft/datasets";
import { readRowsOf } from "@weft/datasets/node";
import { throwIfAborted } from "@weft/tensor-core";
import type { Batch } from "@weft/training";
import type { Context } from "../context.js";
import { UsageError } from "../failure.js";
import type { OpenedModel } from "../models/open-model.js";
import type { TrainConfig } from "./train-config.js";

/** Lengths of rows are rounded up to these: each has a plan of its own. */
const LENGTH_STEP = 32;

/** Batches at a time that are sorted by length, as transformers does with `group_by_length`. */
const BUCKETED_BATCHES = 50;

/** Examples that a person is shown. */
const SHOWN = 3;

/** What a training is given. */
export interface DataOfTraining {
  readonly coverage: Coverage;
  /** The first examples, as they were read. */
  readonly first: readonly Encoded[];
  /** Batches of an epoch. */
  readonly batches: number;
  /** One epoch after the other each time that it is gone through, the first one being that of the number; it has a `length`. */
  from(epoch: number): Iterable<Batch>;
  readonly evaluation: readonly Batch[] | undefined;
  /** SHA-256 of the ids and labels of all examples, in their order. */
  readonly digest: string;
}

/** The kind of examples that an objective learns from, with the columns that make them. */
const KINDS = {
  sft: ["sft", "texts, chats or completions"],
  dpo: ["preference", "pairs (chosen, rejected)"],
  orpo: ["preference", "pairs (chosen, rejected)"],
  kto: ["kto", "prompt, completion, label"],
} as const;

/** Reads, encodes and divides the data. @throws what `readRowsOf`, `toExamples` and `encodeExamples` throw; UsageError for data of another objective */
export async function readTrainingData(
  config: TrainConfig,
  model: Pick<OpenedModel, "base" | "files">,
  context: Context,
): Promise<DataOfTraining> {
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
  const batches = [...epochOf(examples, config, 0)].length;
  return {
    coverage,
    first: (divided?.train ?? read).slice(0, SHOWN).flatMap(encodedOf),
    batches,
    digest: digestOf(examples),
    from: (first) => {
      let epoch = first;
      return Object.assign({ [Symbol.iterator]: () => epochOf(examples, config, epoch++) }, { length: batches });
    },
    evaluation: evaluation && [...epochOf(evaluation, config, 0, false)],
  };
}

async function readExamples(
  file: string,
  config: TrainConfig,
  { base, files: { tokenizer, chatTemplate, defaults } }: Pick<OpenedModel, "base" | "files">,
  { signal }: Context,
): Promise<EncodedExample[]> {
  const { format, columns, mask, maxLength, objective, offline } = config;
  const [end] = [defaults.eosTokenId ?? []].flat();
  const endToken = end === undefined ? undefined : tokenizer.idToToken(end);
  const special = tokenizer.encode("", { truncation: false, padding: false }).ids;
  const beginToken = special[0] === undefined || special[0] === end ? undefined : tokenizer.idToToken(special[0]);
  const options = {
    tokenizer,
    template: chatTemplate,
    maxLength,
    ...(mask && { mask }),
    ...(endToken !== undefined && { endToken }),
    ...(beginToken !== undefined && { beginToken }),
  };
  const rows = toExamples(readRowsOf(file, { offline }), { ...(format && { format }), ...(columns && { columns }) });
  const [kind, wanted] = KINDS[objective];
  const all: EncodedExample[] = [];
  for await (const example of encodeExamples(rows, options)) {
    throwIfAborted(signal);
    if (example.kind !== kind) {
      const [fit] = Object.entries(KINDS).find(([, [one]]) => one === example.kind)!;
      throw new UsageError(
        `${file}: ${objective} learns from ${wanted}, and these are ${KINDS[fit as keyof typeof KINDS][1]}`,
        `--objective ${fit}`,
      );
    }
    for (const { ids } of encodedOf(example)) assertKnown(ids, base.config.vocabSize, file);
    all.push(example);
  }
  return all;
}

function digestOf(examples: readonly EncodedExample[]): string {
  const hash = createHash("sha256");
  for (const { ids, labels } of examples.flatMap(encodedOf))
    for (const one of [ids, labels]) hash.update(new Uint8Array(one.buffer, one.byteOffset, one.byteLength));
  return hash.digest("hex");
}

/** @throws UsageError for a token that the model does not have: its tokenizer is another's */
function assertKnown(ids: Int32Array, vocabSize: number, file: string): void {
  const unknown = ids.find((id) => id >= vocabSize);
  if (unknown === undefined) return;
  throw new UsageError(
    `${file}: the tokenizer makes a token ${unknown}, and the model has ${vocabSize}`,
    "the tokenizer is of another model: the model's own tokenizer.json belongs beside its config.json",
  );
}

/** The examples of which something is trained on; how many there are without is said. */
function trained(examples: readonly EncodedExample[], file: string, { out }: Context): EncodedExample[] {
  const kept = examples.filter((example) => encodedOf(example).every((one) => trainedCount(one) > 0));
  const left = examples.length - kept.length;
  if (left > 0)
    out.warn({
      kind: "nothing-trained",
      message: `${file}: ${left} of ${examples.length} examples have nothing that is trained on, and are left out; --dry-run shows examples`,
    });
  return kept;
}

/** The batches of an epoch, which depend on data, settings and its number alone. */
function* epochOf(
  examples: readonly EncodedExample[],
  { perDeviceTrainBatchSize: batchSize, seed, packing, maxLength, groupByLength }: TrainConfig,
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
