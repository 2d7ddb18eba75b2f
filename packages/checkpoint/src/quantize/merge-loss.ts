import { CapabilityError } from "@weft/tensor-core";

/**
 * What storing merged weights in few bits left of them, as sums over values: W before, W' = W + ΔW as it should be, Q what is stored. Sums of several weights add up.
 */
export interface MergeLoss {
  /** ‖W'‖², ‖ΔW‖². */
  readonly wanted: number;
  readonly change: number;
  /** ‖Q - W'‖². */
  readonly error: number;
  /** ⟨Q - W, ΔW⟩. */
  readonly kept: number;
}

/** No weight. */
export const NO_LOSS: MergeLoss = { wanted: 0, change: 0, error: 0, kept: 0 };

/** Two weights as one. */
export const addLoss = (a: MergeLoss, b: MergeLoss): MergeLoss => ({
  wanted: a.wanted + b.wanted,
  change: a.change + b.change,
  error: a.error + b.error,
  kept: a.kept + b.kept,
});

/** The loss in numbers that say something. */
export interface LossNumbers {
  /** ‖W - W'‖ / ‖W'‖: how far the weight is from the merged one if nothing is done. */
  readonly errorBefore: number;
  /** ‖Q - W'‖ / ‖W'‖: how far what is stored is from it. */
  readonly errorAfter: number;
  /** ⟨Q - W, ΔW⟩ / ‖ΔW‖²: the share of the change that is stored. */
  readonly survived: number;
}

/** @see LossNumbers */
export function lossNumbers({ wanted, change, error, kept }: MergeLoss): LossNumbers {
  const relative = (square: number): number => (square === 0 ? 0 : Math.sqrt(square / wanted));
  return { errorBefore: relative(change), errorAfter: relative(error), survived: change === 0 ? 1 : kept / change };
}

/** Of the change of all weights together at least so much must be in what is stored. */
const LEAST_SURVIVED = 0.5;

/** @throws CapabilityError kind `change-lost` where most of the change is rounded away */
export function refuseLost(loss: MergeLoss, base: string): void {
  const { survived, errorBefore, errorAfter } = lossNumbers(loss);
  if (survived >= LEAST_SURVIVED) return;
  const percent = (x: number): string => `${(100 * x).toPrecision(2)} %`;
  throw new CapabilityError(
    `${base}: in its format ${percent(survived)} of the change survive rounding; without merging the weights are off by ${percent(errorBefore)}, merged by ${percent(errorAfter)}`,
    {
      kind: "change-lost",
      file: base,
      hint: "keep what is lost beside the weights: --residual-rank 16; or store 16 bits: --dtype bf16; or write it so: --allow-loss",
    },
  );
}
