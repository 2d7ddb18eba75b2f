import { assertFactor, type Comparison, comparisonOf, type EvaluationSchedule } from "./by-evaluation.js";

/** transformers' fields, with its defaults. */
export type GreedyArgs = Comparison & {
  readonly factor: number;
  /** Evaluations of one kind, better or not, that are borne. */
  readonly patience: number;
  /** Evaluations after a reduction that are not counted. */
  readonly cooldown: number;
  /** Evaluations after an increase that are not counted. */
  readonly warmup: number;
  readonly minLr: number;
  readonly maxLr: number;
  /** A change by less is left out. */
  readonly eps: number;
  /** Losses are averaged over the last `windowSize` of them. */
  readonly smooth: boolean;
  readonly windowSize: number;
  /** Reductions at the lowest rate after which all begins anew. */
  readonly resetStart: number;
};

/**
 * The rate is divided by `factor` while losses get better, and multiplied by it while they do not.
 * @see transformers `GreedyLR` (arXiv 2512.14527), of which `epoch` is an evaluation
 */
export const GREEDY: EvaluationSchedule<GreedyArgs> = {
  defaults: {
    mode: "min",
    threshold: 1e-6,
    thresholdMode: "abs",
    factor: 0.95,
    patience: 10,
    cooldown: 0,
    warmup: 0,
    minLr: 1e-3,
    maxLr: 1,
    eps: 1e-8,
    smooth: false,
    windowSize: 50,
    resetStart: 500,
  },
  after(losses, { learningRate }, args) {
    const { factor, patience, minLr, maxLr, eps } = args;
    assertFactor(factor);
    const { worst, isBetter } = comparisonOf(args);
    const fresh = () => ({ rate: learningRate, best: worst, bad: 0, good: 0, cooling: 0, warming: 0, untilReset: args.resetStart });
    let state = fresh();
    let window: number[] = [];
    for (const one of losses) {
      window = [...window, one].slice(-args.windowSize);
      const loss = args.smooth ? window.reduce((sum, x) => sum + x, 0) / window.length : one;
      if (state.cooling > 0 || state.warming > 0) {
        if (state.cooling > 0) state.cooling--;
        else state.warming--;
        [state.bad, state.good] = [0, 0];
        continue;
      }
      if (isBetter(loss, state.best)) state = { ...state, best: loss, bad: 0, good: state.good + 1 };
      else state = { ...state, bad: state.bad + 1, good: 0 };
      if (state.good > patience) {
        const higher = Math.min(state.rate / factor, maxLr);
        if (higher - state.rate > eps) state.rate = higher;
        state = { ...state, warming: args.warmup, good: 0, untilReset: args.resetStart };
      } else if (state.bad > patience) {
        const lower = Math.max(state.rate * factor, minLr);
        if (state.rate - lower > eps) state.rate = lower;
        if (state.rate <= minLr) state.untilReset--;
        if (state.untilReset <= 0) {
          state = fresh();
          window = [];
        }
        // As there, where the pause begins after a reset too.
        state = { ...state, cooling: args.cooldown, bad: 0 };
      }
    }
    return state.rate;
  },
};
