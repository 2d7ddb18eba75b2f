import type { LossScaleState } from "./loss-scale.js";

/** What an evaluation found: without dropout and without smoothing of labels, of the running average where there is one. */
export interface EvaluationRecord {
  /** Mean of the loss per label (of pairs: per pair). */
  readonly loss: number;
  /** eˡᵒˢˢ */
  readonly perplexity: number;
  /** Labels (or pairs) that were evaluated. */
  readonly weight: number;
  /** Whether the loss is the lowest so far. */
  readonly isBest: boolean;
}

/** One step of a training. */
export interface StepRecord {
  /** From 1 on. */
  readonly step: number;
  /** Epochs that have passed, with a fraction where the length of the data is known. */
  readonly epoch: number;
  readonly loss: number;
  readonly learningRate: number;
  /** Before clipping. */
  readonly gradNorm: number;
  /** Labels (of preferences: pairs or texts) that the loss is a mean of. 0: there was none, and nothing has changed. */
  readonly trainedTokens: number;
  /** Tokens of the step's batches that are no padding. */
  readonly tokens: number;
  /** Of all steps so far. */
  readonly numInputTokensSeen: number;
  readonly tokensPerSecond: number;
  readonly seconds: number;
  /** After this step, if it was time for it. */
  readonly evaluation?: EvaluationRecord;
  /** What `sample` returned. */
  readonly samples?: readonly string[];
  /** What `save` returned: the path of the checkpoint. */
  readonly checkpoint?: string;
  /** Why the training ends with this step, if it does before its last one. */
  readonly ended?: "stopped" | "no-improvement";
}

/** Where a training stands: all that a checkpoint has to hold besides tensors. */
export interface TrainingPosition {
  /** Steps that have been made. */
  readonly step: number;
  /** The epoch that the next batch is of, from 0 on, and how many of its batches are behind. */
  readonly epoch: number;
  readonly batchesInEpoch: number;
  readonly numInputTokensSeen: number;
  readonly bestLoss: number | null;
  readonly bestStep: number | null;
  /** Evaluations since then. */
  readonly sinceBest: number;
  /** By which losses are multiplied before gradients are taken, for weights in f16. */
  readonly lossScale: LossScaleState | null;
  /** Log entries, one a step, and one an evaluation. */
  readonly history: readonly HistoryEntry[];
}

/** An entry of the log. */
export type HistoryEntry =
  | { readonly step: number; readonly epoch: number; readonly loss: number; readonly gradNorm: number; readonly learningRate: number }
  | { readonly step: number; readonly epoch: number; readonly evalLoss: number };
