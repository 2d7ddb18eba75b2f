import { ConfigError } from "@weft/tensor-core";
import type { Objective } from "../objectives/objective.js";
import { SFT } from "../objectives/sft.js";
import type { Hyper } from "../optimizers/optimizer.js";
import { optimizerOf } from "../optimizers/table.js";
import { followsEvaluations, type LearningRates, learningRates, warmupStepsOf } from "../schedules/table.js";
import type { ScheduleArgs } from "../schedules/schedule.js";

/** What is kept of a step for the backward pass: everything; the inputs of blocks, which are computed again; or whichever of the two fits into so many bytes. */
export type GradientCheckpointing = "none" | "blocks" | { readonly maxMemory: number };

/** Settings of a training that a configuration file can hold: names as transformers' TrainingArguments, in camel case, where it has them. */
export interface TrainingArguments {
  /** Steps of the optimiser; -1 (the default): as many as `numTrainEpochs` of the data, whose length must be known. */
  readonly maxSteps?: number;
  /** 3 if not given; not used with `maxSteps`. */
  readonly numTrainEpochs?: number;
  /** Batches of the data that make a step. 1 if not given. */
  readonly gradientAccumulationSteps?: number;
  /** 5e-5 if not given. */
  readonly learningRate?: number;
  /** `linear` if not given; `reduce_lr_on_plateau` and `greedy` follow the losses of evaluations. */
  readonly lrSchedulerType?: string;
  readonly lrSchedulerKwargs?: ScheduleArgs;
  /** From 1 on steps of rising rate, below 1 a share of all steps. */
  readonly warmupSteps?: number;
  /** `adamw_torch` if not given. */
  readonly optim?: string;
  /** Constants of the optimiser besides those below, under their Python names in camel case. */
  readonly optimArgs?: Hyper;
  /** 0 if not given; biases and norms do not decay. */
  readonly weightDecay?: number;
  readonly adamBeta1?: number;
  readonly adamBeta2?: number;
  readonly adamEpsilon?: number;
  /** The largest norm of all gradients together; 1 if not given, 0 for no limit. */
  readonly maxGradNorm?: number;
  readonly labelSmoothingFactor?: number;
  /** Tokens whose logits exist at once; as many as have 2²³ logits if not given. */
  readonly lossChunkTokens?: number;
  /** `none` if not given. */
  readonly gradientCheckpointing?: GradientCheckpointing;
  /** LoRA+: how many times the rate of A is that of B. */
  readonly loraplusLrRatio?: number;
  readonly loraplusLrEmbedding?: number;
  /** A running average of the parameters is kept, and evaluated and saved in their place: 0.999 for instance. */
  readonly emaDecay?: number;
  /** Of dropout; 42 if not given. */
  readonly seed?: number;
  /** Steps between two evaluations; at the end of every epoch if not given. Only with `evalData`. */
  readonly evalSteps?: number;
  /** Evaluations without a better loss after which the training ends. */
  readonly earlyStoppingPatience?: number;
  /** By how much a loss must be lower to be better. */
  readonly earlyStoppingThreshold?: number;
  /** Steps between two calls of `sample`. */
  readonly sampleSteps?: number;
  /** Steps between two checkpoints. Only with `save`. */
  readonly saveSteps?: number;
}

/** A training's settings with everything decided. */
export interface Settings extends Required<
  Omit<
    TrainingArguments,
    | "lossChunkTokens"
    | "evalSteps"
    | "earlyStoppingPatience"
    | "emaDecay"
    | "sampleSteps"
    | "saveSteps"
    | "adamBeta1"
    | "adamBeta2"
    | "adamEpsilon"
  >
> {
  readonly objective: Objective;
  readonly optimizer: ReturnType<typeof optimizerOf>["optimizer"];
  readonly hyper: Hyper;
  readonly lossChunkTokens: number | undefined;
  readonly evalSteps: number | undefined;
  readonly earlyStoppingPatience: number | undefined;
  readonly emaDecay: number | undefined;
  readonly sampleSteps: number | undefined;
  readonly saveSteps: number | undefined;
  /** The learning rate of each step. */
  readonly rate: LearningRates;
  /** Steps of an epoch, if known. */
  readonly stepsPerEpoch: number | undefined;
}

/** What transformers' Trainer gives Adafactor, whose rate is then that of the schedule. */
const OF_TRAINER: { readonly [optim: string]: Hyper } = { adafactor: { scaleParameter: false, relativeStep: false } };

function assertNumber(name: string, value: number | undefined, least: number, whole = false): void {
  if (value === undefined || (value >= least && value < Infinity && (!whole || Number.isInteger(value)))) return;
  throw new ConfigError(`${name} is ${value}, expected a ${whole ? "whole " : ""}number from ${least} on`, { kind: "training-option" });
}

/** How many batches an epoch has, if the data tells. */
const lengthOf = (data: unknown): number | undefined => {
  const { length } = data as { readonly length?: unknown };
  return typeof data !== "function" && typeof length === "number" ? length : undefined;
};

/** The settings that options and data make. @throws ConfigError kind `training-option` */
export function settingsOf(
  options: TrainingArguments & { readonly objective?: Objective | undefined; readonly evalData?: unknown },
  data: unknown,
): Settings {
  const { gradientAccumulationSteps = 1, learningRate = 5e-5, weightDecay = 0, warmupSteps = 0, numTrainEpochs = 3 } = options;
  const { optim = "adamw_torch", optimArgs = {}, lrSchedulerType = "linear", lrSchedulerKwargs = {} } = options;
  const { maxGradNorm = 1, labelSmoothingFactor = 0, seed = 42, loraplusLrRatio = 1, loraplusLrEmbedding = 1e-6 } = options;
  for (const [name, value] of Object.entries({
    learningRate,
    weightDecay,
    warmupSteps,
    numTrainEpochs,
    maxGradNorm,
    labelSmoothingFactor,
    loraplusLrRatio,
  }))
    assertNumber(name, value, 0);
  assertNumber("gradientAccumulationSteps", gradientAccumulationSteps, 1, true);
  for (const name of ["evalSteps", "sampleSteps", "saveSteps", "earlyStoppingPatience", "lossChunkTokens"] as const)
    assertNumber(name, options[name], 1, true);
  assertNumber("seed", seed, 0, true);
  const { emaDecay } = options;
  if (emaDecay !== undefined && !(emaDecay > 0 && emaDecay < 1))
    throw new ConfigError(`emaDecay is ${emaDecay}, expected a number between 0 and 1`, { kind: "training-option" });
  const batches = lengthOf(data);
  const stepsPerEpoch = batches === undefined ? undefined : Math.ceil(batches / gradientAccumulationSteps);
  const asked = options.maxSteps ?? -1;
  if (asked <= 0 && stepsPerEpoch === undefined)
    throw new ConfigError("maxSteps is not given, and the data does not tell how many batches an epoch has", {
      kind: "training-option",
      hint: "give maxSteps, or an array of batches",
    });
  const maxSteps = asked > 0 ? asked : Math.ceil(stepsPerEpoch! * numTrainEpochs);
  assertNumber("maxSteps", maxSteps, 1, true);
  if (followsEvaluations(lrSchedulerType) && options.evalData === undefined)
    throw new ConfigError(`the schedule ${lrSchedulerType} follows evaluations, and there is nothing to evaluate on`, {
      kind: "training-option",
      hint: "give evalData, or another lrSchedulerType",
    });
  const { optimizer, hyper } = optimizerOf(optim, { ...OF_TRAINER[optim], ...optimArgs });
  const given = {
    weightDecay: optimArgs["weightDecay"] ?? weightDecay,
    beta1: options.adamBeta1,
    beta2: options.adamBeta2,
    eps: options.adamEpsilon,
  };
  const known = Object.entries(given).filter(([name, value]) => value !== undefined && Object.hasOwn(optimizer.defaults, name));
  return {
    objective: options.objective ?? SFT,
    optimizer,
    hyper: { ...hyper, ...(Object.fromEntries(known) as Hyper) },
    maxSteps,
    numTrainEpochs,
    gradientAccumulationSteps,
    learningRate,
    lrSchedulerType,
    lrSchedulerKwargs,
    warmupSteps,
    optim,
    optimArgs,
    weightDecay,
    maxGradNorm,
    labelSmoothingFactor,
    lossChunkTokens: options.lossChunkTokens,
    gradientCheckpointing: options.gradientCheckpointing ?? "none",
    loraplusLrRatio,
    loraplusLrEmbedding,
    emaDecay,
    seed,
    evalSteps: options.evalSteps,
    earlyStoppingPatience: options.earlyStoppingPatience,
    earlyStoppingThreshold: options.earlyStoppingThreshold ?? 0,
    sampleSteps: options.sampleSteps,
    saveSteps: options.saveSteps,
    rate: learningRates(lrSchedulerType, { warmupSteps: warmupStepsOf(warmupSteps, maxSteps), maxSteps, learningRate }, lrSchedulerKwargs),
    stepsPerEpoch,
  };
}
