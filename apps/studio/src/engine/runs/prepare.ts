import { openAdapter } from "@weft/adapter-files";
import {
  adapterConfig,
  digestOfExamples,
  epochsFrom,
  type FineTuningSettings,
  recordedSettings,
  trainable,
  trainingOptions,
} from "@weft/fine-tuning";
import { openSafetensors } from "@weft/io-safetensors";
import { ADAPTER_METHODS } from "@weft/methods";
import { getPeftModel, PeftModel } from "@weft/registry";
import { ConfigError, type Device } from "@weft/tensor-core";
import { readCheckpointFiles, type Resume, train, type Training } from "@weft/training";
import { examplesOf, type OpenData, type OpenModel } from "../documents.js";

/** What a training is made of. */
export interface TrainingParts {
  readonly device: Device;
  readonly model: OpenModel;
  readonly data: OpenData;
  readonly settings: FineTuningSettings & { readonly sampleSteps?: number };
  /** Files of the checkpoint that it goes on from. */
  readonly checkpoint: ReadonlyMap<string, Blob> | undefined;
  /** Writes samples of a model after a step. */
  readonly sample: (model: PeftModel<never, unknown>, step: number) => Promise<string[]>;
}

interface Adapter {
  readonly peft: PeftModel<never, unknown>;
  readonly resume?: Resume;
}

/** A new adapter, whose first values are those of the seed. */
async function newAdapter({ model, settings }: TrainingParts): Promise<Adapter> {
  const config = adapterConfig(settings, model.document.name, ADAPTER_METHODS);
  const peft = await getPeftModel(model.base, config, { methods: ADAPTER_METHODS, seed: settings.seed });
  return { peft: peft as PeftModel<never, unknown> };
}

/** The adapter of a checkpoint, and where its training stood. @throws FormatError kind `bad-checkpoint` */
async function adapterOf(files: ReadonlyMap<string, Blob>, { model, device }: TrainingParts): Promise<Adapter> {
  const [config, weights] = [files.get("adapter_config.json"), files.get("adapter_model.safetensors")];
  if (!config || !weights) throw new ConfigError("the checkpoint has no adapter", { kind: "no-match", hint: "take an older checkpoint" });
  const { resume } = await readCheckpointFiles(files, { device });
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
  const { model, data, settings, checkpoint, sample } = parts;
  const examples = trainable(await examplesOf(data, model, settings));
  const { peft, resume } = checkpoint ? await adapterOf(checkpoint, parts) : await newAdapter(parts);
  return train(peft, epochsFrom(examples, settings, resume?.position.epoch ?? 0), {
    ...trainingOptions(settings),
    recordedSettings: recordedSettings(settings, model.document.name, await digestOfExamples(examples)),
    resume,
    ...(settings.samplePrompts.length > 0 && {
      sample: (step: number) => sample(peft, step),
      sampleSteps: settings.sampleSteps ?? Number.MAX_SAFE_INTEGER,
    }),
  });
}
