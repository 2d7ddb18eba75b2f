import { ConfigError } from "@weft/tensor-core";
import { wave } from "./cosine.js";
import type { Schedule } from "./schedule.js";

/** How the rate rises and falls: `linear`, `cosine` or `1-sqrt`. */
export type WarmupStableDecayArgs = {
  readonly numDecaySteps: number;
  /** null: all that warm-up and decay leave. */
  readonly numStableSteps: number | null;
  readonly warmupType: string;
  readonly decayType: string;
  readonly minLrRatio: number;
  readonly numCycles: number;
};

const RISES: { readonly [type: string]: (p: number) => number } = {
  linear: (p) => p,
  cosine: (p) => 0.5 * (1 - Math.cos(Math.PI * p)),
  "1-sqrt": (p) => 1 - Math.sqrt(1 - p),
};

const FALLS: { readonly [type: string]: (p: number, cycles: number) => number } = {
  linear: (p) => 1 - p,
  cosine: wave,
  "1-sqrt": (p) => 1 - Math.sqrt(p),
};

function shape<F>(shapes: { readonly [type: string]: F }, field: string, type: string): F {
  if (!Object.hasOwn(shapes, type))
    throw new ConfigError(`lrSchedulerKwargs: ${field} is "${type}"`, { hint: `one of ${Object.keys(shapes).join(", ")}` });
  return shapes[type]!;
}

/** Warm-up, a plateau at 1, then a fall over the decay steps; rise and fall are scaled to [minLrRatio, 1]. */
export const WARMUP_STABLE_DECAY: Schedule<WarmupStableDecayArgs> = {
  defaults: { numDecaySteps: 0, numStableSteps: null, warmupType: "linear", decayType: "cosine", minLrRatio: 0, numCycles: 0.5 },
  at(step, { warmupSteps, maxSteps }, args) {
    const { numDecaySteps, minLrRatio } = args;
    const scaled = (factor: number): number => Math.max(0, factor * (1 - minLrRatio) + minLrRatio);
    if (step < warmupSteps) return scaled(shape(RISES, "warmupType", args.warmupType)(step / Math.max(1, warmupSteps)));
    const stable = warmupSteps + (args.numStableSteps ?? maxSteps - warmupSteps - numDecaySteps);
    if (step < stable) return 1;
    if (step >= stable + numDecaySteps) return minLrRatio;
    return scaled(shape(FALLS, "decayType", args.decayType)((step - stable) / Math.max(1, numDecaySteps), args.numCycles));
  },
};
