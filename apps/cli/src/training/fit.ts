import { adapterConfig } from "@weft/fine-tuning";
import { formatBytes } from "@weft/checkpoint/format";
import { CapabilityError } from "@weft/tensor-core";
import {
  type Batch,
  estimateMemory,
  estimateTime,
  type SmallerOffer,
  smallerOffers,
  type TrainingMemory,
  type TrainingTime,
} from "@weft/training";
import type { Context } from "../context.js";
import type { OpenedModel } from "../models/open-model.js";
import type { TrainConfig } from "./train-config.js";
import { newAdapter, optionsOf, type TrainedAdapter } from "./training-run.js";

/** What a training takes here. */
export interface Fit {
  /** Of the largest batch. */
  readonly memory: TrainingMemory;
  /** How it would need less. */
  readonly offers: readonly SmallerOffer[];
}

/** Rows times tokens. */
const sizeOf = ({ inputIds }: Batch): number => inputIds.length * (inputIds as readonly ArrayLike<number>[])[0]!.length;

/** The batch that takes most. */
export function largestBatch(batches: Iterable<Batch>): Batch {
  let largest: Batch | undefined;
  for (const batch of batches) if (!largest || sizeOf(batch) > sizeOf(largest)) largest = batch;
  return largest!;
}

/** What training takes, and how it would take less. */
export async function fitOf(
  config: TrainConfig,
  opened: OpenedModel,
  { peft }: TrainedAdapter,
  batch: Batch,
  context: Context,
): Promise<Fit> {
  // Blocks that are computed again are one of the offers unless they are asked for.
  const { maxMemory: _limit, ...unlimited } = config;
  const options = optionsOf(unlimited);
  const { table } = await context.methods();
  const rank = Number(adapterConfig(config, config.modelNameOrPath, table)["r"] ?? 0);
  const withRank = {
    rank,
    trainee: async (r: number) => (await newAdapter(opened.base, { ...config, peft: { ...config.peft, r } }, [batch], context)).peft,
  };
  return {
    memory: await estimateMemory(peft, batch, options),
    offers: await smallerOffers(peft, batch, options, rank > 1 ? { withRank } : {}),
  };
}

/** How long the steps take, of batches of which one took part in the plan. */
export async function timeOf(
  config: TrainConfig,
  { peft }: TrainedAdapter,
  batches: Iterable<Batch>,
  steps: number,
): Promise<TrainingTime & { readonly seconds: number }> {
  const all = [...batches];
  const largest = largestBatch(all);
  const { maxMemory: _limit, ...unlimited } = config;
  const time = await estimateTime(peft, largest, optionsOf(unlimited));
  const share = all.reduce((sum, batch) => sum + sizeOf(batch), 0) / all.length / sizeOf(largest);
  return { ...time, secondsPerStep: time.secondsPerStep * share, seconds: time.secondsPerStep * share * steps };
}

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
