import { weightName } from "@weft/registry";
import { bytesPerElement, isFloat } from "@weft/tensor-core";
import type { Batch, BatchField } from "./batch.js";
import { estimateMemory } from "./estimate-memory.js";
import type { EstimateOptions } from "./step-calls.js";
import type { Trainee } from "./trainee.js";

/** A way to train with less memory, and what it takes then. */
export interface SmallerOffer {
  /** `gradient-checkpointing`: blocks are computed again; `batch-size`: half the rows in twice the micro-batches; `max-length`, `rank`: half of them; `4-bit-base`: linear weights in NF4. */
  readonly name: "gradient-checkpointing" | "batch-size" | "max-length" | "rank" | "4-bit-base";
  /** What the setting would be: rows, tokens, the rank. */
  readonly value?: number;
  readonly peakBytes: number;
}

/** What an estimate of other ranks needs. */
export interface OfferOptions {
  /** The same adapter of another rank, of which `rank` is the one at hand. */
  readonly withRank?: { readonly rank: number; readonly trainee: (rank: number) => Promise<Trainee> };
}

/** Bits of a weight in NF4: a code, and a scale in f32 for 64 of them. */
const NF4_BITS = 4 + 32 / 64;

/** Objectives of which an example has two rows. */
const IN_PAIRS: ReadonlySet<string> = new Set(["dpo", "orpo", "contrastive", "cosine-similarity"]);

const isRows = (field: BatchField): field is readonly ArrayLike<number>[] => typeof field[0] === "object";

/** A batch of which each field is changed; what it has one number a row of stays so. */
function changed(
  batch: Batch,
  rows: (all: readonly ArrayLike<number>[]) => readonly ArrayLike<number>[],
  numbers: (all: ArrayLike<number>) => ArrayLike<number>,
): Batch {
  const fields = Object.entries(batch).filter((entry): entry is [string, BatchField] => entry[1] !== undefined);
  return Object.fromEntries(fields.map(([name, field]) => [name, isRows(field) ? rows(field) : numbers(field)])) as unknown as Batch;
}

/** Bytes that the linear layers of a model would take less in NF4; those that are packed already stay as they are. */
function savedByNf4({ baseModel }: Trainee): number {
  const outputs = new Set([...baseModel.namedModules()].flatMap(([path, { outputEmbedding }]) => (outputEmbedding ? [path] : [])));
  const weights = [...baseModel.layers()].flatMap((one) =>
    one.layer.kind === "linear" && !outputs.has(one.path) ? (baseModel.weights.get(weightName(one)) ?? []) : [],
  );
  const dense = weights.filter(({ dtype, node }) => isFloat(dtype) && node.op !== "dequantize");
  return dense.reduce((saved, { size, dtype }) => saved + size * (bytesPerElement(dtype) - NF4_BITS / 8), 0);
}

/**
 * What a training would take if it were smaller in one way or another, each by the plan of its step; nothing is computed. That of a base in four bits is the estimate less what
 * its weights would save.
 * @throws as `train`
 */
export async function smallerOffers(
  trainee: Trainee,
  batch: Batch,
  options: EstimateOptions = {},
  { withRank }: OfferOptions = {},
): Promise<SmallerOffer[]> {
  const peak = async (of: Trainee, given: Batch, more: EstimateOptions = {}): Promise<number> =>
    (await estimateMemory(of, given, { ...options, ...more })).peakBytes;
  const [rows, length] = [batch.inputIds.length, (batch.inputIds as readonly ArrayLike<number>[])[0]!.length];
  const { gradientAccumulationSteps: micro = 1 } = options;
  const offers: SmallerOffer[] = [];
  if (options.gradientCheckpointing !== "blocks")
    offers.push({ name: "gradient-checkpointing", peakBytes: await peak(trainee, batch, { gradientCheckpointing: "blocks" }) });
  if (rows % (IN_PAIRS.has(options.objective?.name ?? "") ? 4 : 2) === 0) {
    const half = changed(
      batch,
      (all) => all.slice(0, all.length / 2),
      (all) => Array.from(all).slice(0, all.length / 2),
    );
    offers.push({ name: "batch-size", value: rows / 2, peakBytes: await peak(trainee, half, { gradientAccumulationSteps: 2 * micro }) });
  }
  if (length >= 2) {
    const value = Math.floor(length / 2);
    const half = changed(
      batch,
      (all) => all.map((row) => Array.from(row).slice(0, value)),
      (all) => all,
    );
    offers.push({ name: "max-length", value, peakBytes: await peak(trainee, half) });
  }
  if (withRank && withRank.rank >= 2) {
    const value = Math.floor(withRank.rank / 2);
    offers.push({ name: "rank", value, peakBytes: await peak(await withRank.trainee(value), batch) });
  }
  const saved = savedByNf4(trainee);
  if (saved > 0) offers.push({ name: "4-bit-base", peakBytes: (await peak(trainee, batch)) - saved });
  return offers;
}
