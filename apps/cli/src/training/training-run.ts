import type { EncoderTask } from "@weft/datasets";
import { adapterConfig, trainingOptions } from "@weft/fine-tuning";
import type { CausalLM } from "@weft/models";
import { getPeftModel, type PeftModel } from "@weft/registry";
import { loadPeftModel } from "@weft/registry/node";
import {
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

/** A new adapter, whose first values are those of the seed. */
export async function newAdapter(base: CausalLM, config: TrainConfig, { methods, signal }: Context): Promise<TrainedAdapter> {
  const { table } = await methods();
  const peft = await getPeftModel(base, adapterConfig(config, config.modelNameOrPath, table), {
    methods: table,
    seed: config.seed,
    signal,
  });
  return { peft: peft as PeftModel<never, unknown> };
}

/** The adapter of the last checkpoint of a folder, and where its training stood. */
export async function adapterOfCheckpoint(
  { base, device }: Pick<OpenedModel, "base" | "device">,
  folder: string,
  { methods, signal, out }: Context,
): Promise<TrainedAdapter> {
  const { table } = await methods();
  const opened = await openCheckpoint(folder, { device });
  for (const note of opened.notes) out.warn(note);
  const peft = await loadPeftModel(base, opened.folder, { methods: table, signal });
  return { peft: peft as PeftModel<never, unknown>, resume: opened.resume, checkpoint: opened.folder };
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
