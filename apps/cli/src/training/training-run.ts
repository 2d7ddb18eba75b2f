import type { EncoderTask } from "@weft/datasets";
import { adapterConfig, isMadeAgain, newAdapter as fineTuningAdapter, trainingOptions } from "@weft/fine-tuning";
import type { CausalLM } from "@weft/models";
import type { PeftModel } from "@weft/registry";
import { loadPeftModel } from "@weft/registry/node";
import {
  type Batch,
  CLASSIFICATION,
  contrastive,
  COSINE_SIMILARITY,
  type Objective,
  REGRESSION,
  type Resume,
  type TrainingOptions,
} from "@weft/training";
import { openCheckpoint } from "@weft/training/node";
import type { Context } from "../context.js";
import type { OpenedModel } from "../models/open-model.js";
import { isEncoderTask } from "../program/train-fields.js";
import type { TrainConfig } from "./train-config.js";

/** A model with the adapter that is trained. */
export interface TrainedAdapter {
  readonly peft: PeftModel<never, unknown>;
  readonly resume?: Resume;
  /** The checkpoint that it is of. */
  readonly checkpoint?: string;
}

/** A new adapter, whose first values are those of the seed, and of the batches if it begins with data. */
export async function newAdapter(
  base: CausalLM,
  config: TrainConfig,
  batches: Iterable<Batch>,
  { methods, signal }: Context,
): Promise<TrainedAdapter> {
  const { table } = await methods();
  const { objective } = optionsOf(config);
  const made = adapterConfig(config, config.modelNameOrPath, table);
  const peft = await fineTuningAdapter(base, made, { methods: table, seed: config.seed, signal, batches, objective });
  return { peft: peft as PeftModel<never, unknown> };
}

/** The adapter of the last checkpoint of a folder, and where its training stood. */
export async function adapterOfCheckpoint(
  { base, device }: Pick<OpenedModel, "base" | "device">,
  config: TrainConfig,
  folder: string,
  batches: Iterable<Batch>,
  context: Context,
): Promise<TrainedAdapter> {
  const { table } = await context.methods();
  const opened = await openCheckpoint(folder, { device });
  for (const note of opened.notes) context.out.warn(note);
  const { resume, folder: checkpoint } = opened;
  // Those of HF's Trainer have the parameters in the adapter's file alone.
  if (resume.parameters.size > 0 && isMadeAgain(adapterConfig(config, config.modelNameOrPath, table)))
    return { ...(await newAdapter(base, config, batches, context)), resume, checkpoint };
  const peft = await loadPeftModel(base, checkpoint, { methods: table, signal: context.signal });
  return { peft: peft as PeftModel<never, unknown>, resume, checkpoint };
}

/** What an encoder minimises. */
const objectiveOf = (task: EncoderTask, hardNegatives: boolean): Objective =>
  ({
    classification: CLASSIFICATION,
    token_classification: CLASSIFICATION,
    regression: REGRESSION,
    contrastive: contrastive({ hardNegatives }),
    cosine_similarity: COSINE_SIMILARITY,
  })[task];

/** The settings of `train`: where it runs is where the weights lie. */
export function optionsOf({ device: _device, hardNegatives = false, objective, ...settings }: TrainConfig): TrainingOptions {
  if (!isEncoderTask(objective)) return trainingOptions({ ...settings, objective });
  return { ...trainingOptions({ ...settings, objective: "sft" }), objective: objectiveOf(objective, hardNegatives) };
}
