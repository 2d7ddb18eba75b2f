import type { CausalLM } from "@weft/models";
import { getPeftModel, type PeftModel } from "@weft/registry";
import { loadPeftModel } from "@weft/registry/node";
import type { GenerationFiles } from "@weft/generation/node";
import { type AdaptedCausalLM, TextGenerator } from "@weft/generation";
import { dpo, kto, type Objective, orpo, type RecordedSettings, type Resume, SFT, type TrainingOptions } from "@weft/training";
import { openCheckpoint } from "@weft/training/node";
import type { Context } from "../context.js";
import type { OpenedModel } from "../models/open-model.js";
import { adapterConfig } from "./adapter-config.js";
import type { TrainConfig } from "./train-config.js";
import type { DataOfTraining } from "./training-data.js";

/** Tokens of a sample. */
const SAMPLE_TOKENS = 64;

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
  const peft = await getPeftModel(base, adapterConfig(config, table), { methods: table, seed: config.seed, signal });
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

/** The objective of a name. */
function objectiveOf({ objective, beta }: TrainConfig): Objective {
  const options = beta === undefined ? {} : { beta };
  return { sft: () => SFT, dpo: () => dpo(options), orpo: () => orpo(options), kto: () => kto(options) }[objective]();
}

/** The settings of `train`. */
export function trainingOptions(config: TrainConfig): TrainingOptions {
  // Where it runs is where the weights lie.
  const { device: _device, gradientCheckpointing, maxMemory, ...settings } = config;
  const budget = maxMemory === undefined ? "none" : { maxMemory };
  return { ...settings, gradientCheckpointing: gradientCheckpointing ? "blocks" : budget, objective: objectiveOf(config) };
}

/** What decides the values of a training besides the settings of `train`: a checkpoint records it. */
export function recordedSettings(config: TrainConfig, { digest }: Pick<DataOfTraining, "digest">): RecordedSettings {
  const { modelNameOrPath, beta, peft, perDeviceTrainBatchSize, maxLength, packing = false, groupByLength = false } = config;
  const { mask, validationShare } = config;
  const ofData = { perDeviceTrainBatchSize, maxLength, packing, groupByLength, mask, validationShare, examples: digest };
  return { modelNameOrPath, beta, peft, ...ofData };
}

/** Goes on with each prompt, by the model as it is. */
export async function sampleTexts(
  peft: PeftModel<never, unknown>,
  prompts: readonly string[],
  { tokenizer, chatTemplate, defaults }: GenerationFiles,
): Promise<string[]> {
  const generator = new TextGenerator(peft as unknown as AdaptedCausalLM, { tokenizer, chatTemplate, defaults, maxBatch: 1 });
  const texts: string[] = [];
  for (const prompt of prompts) {
    const { text } = await generator.generate(prompt, { temperature: 0, maxNewTokens: SAMPLE_TOKENS }).result;
    texts.push(`${prompt}${text}`);
  }
  await generator.dispose();
  return texts;
}
