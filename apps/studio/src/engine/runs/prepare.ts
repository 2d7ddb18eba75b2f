import { openAdapter } from "@weft/adapter-files";
import { assertTrainable, coverageOf, encodedOf } from "@weft/datasets";
import {
  adapterConfig,
  digestOfExamples,
  epochBatches,
  epochsFrom,
  type FineTuningSettings,
  isMadeAgain,
  newAdapter as newFineTuningAdapter,
  recordedSettings,
  trainable,
  trainingOptions,
} from "@weft/fine-tuning";
import { openSafetensors } from "@weft/io-safetensors";
import { ADAPTER_METHODS } from "@weft/methods";
import { PeftModel } from "@weft/registry";
import { ConfigError, type Device } from "@weft/tensor-core";
import { type Batch, readCheckpointFiles, type Resume, train, type Training } from "@weft/training";
import type { OpenModel } from "../documents/opened.js";
import type { EncodedData } from "../examples.js";

/** What a training is made of. */
export interface TrainingParts {
  readonly device: Device;
  readonly model: OpenModel;
  readonly encoded: EncodedData;
  readonly settings: FineTuningSettings;
  /** Files of the checkpoint that it goes on from. */
  readonly checkpoint: ReadonlyMap<string, Blob> | undefined;
  /** Writes samples of a model after a step. */
  readonly sample: (model: PeftModel<never, unknown>, step: number) => Promise<string[]>;
}

interface Adapter {
  readonly peft: PeftModel<never, unknown>;
  readonly resume?: Resume;
}

/** A new adapter, whose first values are those of the seed, and of the batches if it begins with data. */
export async function newAdapter(
  model: OpenModel,
  settings: FineTuningSettings,
  batches: Iterable<Batch>,
): Promise<PeftModel<never, unknown>> {
  const config = adapterConfig(settings, model.document.name, ADAPTER_METHODS);
  const { objective } = trainingOptions(settings);
  const options = { methods: ADAPTER_METHODS, seed: settings.seed, batches, objective };
  return (await newFineTuningAdapter(model.base, config, options)) as PeftModel<never, unknown>;
}

/** The adapter of a checkpoint, and where its training stood. @throws FormatError kind `bad-checkpoint` */
async function adapterOf(
  files: ReadonlyMap<string, Blob>,
  { model, device, settings }: TrainingParts,
  batches: Iterable<Batch>,
): Promise<Adapter> {
  const [config, weights] = [files.get("adapter_config.json"), files.get("adapter_model.safetensors")];
  if (!config || !weights) throw new ConfigError("the checkpoint has no adapter", { kind: "no-match", hint: "take an older checkpoint" });
  const { resume } = await readCheckpointFiles(files, { device });
  if (isMadeAgain(adapterConfig(settings, model.document.name, ADAPTER_METHODS)))
    return { peft: await newAdapter(model, settings, batches), resume };
  const source = await openSafetensors(weights);
  const opened = await openAdapter({ config: await config.text(), weights: source }, { methods: ADAPTER_METHODS });
  try {
    return { peft: (await PeftModel.fromPretrained(model.base, opened)) as PeftModel<never, unknown>, resume };
  } finally {
    await source.close();
  }
}

/** A training that is ready for its first step, or for the one after its checkpoint. */
export async function prepareTraining(parts: TrainingParts): Promise<Training> {
  const { model, encoded, settings, checkpoint, sample } = parts;
  assertTrainable(coverageOf(encoded.train.flatMap(encodedOf)));
  const examples = trainable(encoded.train);
  const evaluation = encoded.evaluation && trainable(encoded.evaluation);
  if (evaluation?.length === 0)
    throw new ConfigError("there is no example to evaluate on", { kind: "dataset-empty", hint: "a larger validation_share" });
  const batches = epochsFrom(examples, settings, 0);
  const { peft, resume }: Adapter = checkpoint
    ? await adapterOf(checkpoint, parts, batches)
    : { peft: await newAdapter(model, settings, batches) };
  return train(peft, epochsFrom(examples, settings, resume?.position.epoch ?? 0), {
    ...trainingOptions(settings),
    recordedSettings: recordedSettings(settings, model.document.name, await digestOfExamples(examples)),
    resume,
    ...(evaluation && { evalData: [...epochBatches(evaluation, settings, 0, false)] }),
    ...(settings.samplePrompts.length > 0 && {
      sample: (step: number) => sample(peft, step),
      sampleSteps: settings.sampleSteps ?? Number.MAX_SAFE_INTEGER,
    }),
  });
}
