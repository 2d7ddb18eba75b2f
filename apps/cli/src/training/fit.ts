import { adapterConfig, type Fit, fitOf as fitOfTrainee, timeOf as timeOfTrainee } from "@weft/fine-tuning";
import { formatBytes } from "@weft/checkpoint/format";
import { CapabilityError } from "@weft/tensor-core";
import type { Batch, SmallerOffer, TrainingOptions } from "@weft/training";
import type { Context } from "../context.js";
import type { OpenedModel } from "../models/open-model.js";
import type { TrainConfig } from "./train-config.js";
import { newAdapter, optionsOf, type TrainedAdapter } from "./training-run.js";

/** Without a limit: blocks that are computed again are one of the offers unless they are asked for. */
function unlimitedOptions({ maxMemory: _limit, ...unlimited }: TrainConfig): TrainingOptions {
  return optionsOf(unlimited);
}

/** What training takes, and how it would take less. */
export async function fitOf(
  config: TrainConfig,
  opened: OpenedModel,
  { peft }: TrainedAdapter,
  batch: Batch,
  context: Context,
): Promise<Fit> {
  const { table } = await context.methods();
  return fitOfTrainee(peft, batch, unlimitedOptions(config), {
    rank: Number(adapterConfig(config, config.modelNameOrPath, table)["r"] ?? 0),
    trainee: async (r) => (await newAdapter(opened.base, { ...config, peft: { ...config.peft, r } }, [batch], context)).peft,
  });
}

/** How long the steps take. */
export const timeOf = (
  config: TrainConfig,
  { peft }: TrainedAdapter,
  batches: Iterable<Batch>,
  steps: number,
): ReturnType<typeof timeOfTrainee> => timeOfTrainee(peft, batches, unlimitedOptions(config), steps);

const FLAGS: { readonly [name in SmallerOffer["name"]]: string } = {
  "gradient-checkpointing": "--gradient-checkpointing",
  "batch-size": "--batch-size",
  "max-length": "--max-length",
  rank: "--rank",
  "4-bit-base": "a 4-bit base (weft quantize --to nf4)",
};

/** `--max-length 256: 0.8 GB`. */
const offerText = ({ name, value, peakBytes }: SmallerOffer): string =>
  `${FLAGS[name]}${value === undefined ? "" : ` ${value}`}: ${formatBytes(peakBytes)}`;

const told = (some: readonly SmallerOffer[]): string => some.map(offerText).join("; ");

/** The offers that fit, or all if none does. */
export function offersText(offers: readonly SmallerOffer[], limit: number): string {
  const fitting = offers.filter(({ peakBytes }) => peakBytes <= limit);
  return fitting.length > 0 ? told(fitting) : `none of these alone is enough: ${told(offers)}`;
}

/** @throws CapabilityError kind `training-memory` for a training that would not fit even with each block computed again, with what would */
export function assertFits({ memory, offers }: Fit, limit: number): void {
  const again = offers.find(({ name }) => name === "gradient-checkpointing")?.peakBytes ?? memory.peakBytes;
  const least = Math.min(memory.peakBytes, again);
  if (least <= limit) return;
  throw new CapabilityError(`a step takes ${formatBytes(least)}, --max-memory is ${formatBytes(limit)}`, {
    kind: "training-memory",
    hint: offersText(
      offers.filter(({ name }) => name !== "gradient-checkpointing"),
      limit,
    ),
  });
}
