export { checkpointFiles } from "./checkpoints/checkpoint-files.js";
export { type ReadCheckpoint, readCheckpointFiles } from "./checkpoints/read-checkpoint.js";
export { type CausalLossOptions, causalLoss, crossEntropySum, type LossSum, sequenceLogProbs } from "./losses/causal.js";
export { classificationLoss, mseLoss } from "./losses/classification.js";
export { cosineSimilarityLoss, multipleNegativesRankingLoss } from "./losses/contrastive.js";
export { distillationLoss } from "./losses/distillation.js";
export { type Headless, headless, headPath, type Run } from "./losses/headless.js";
export { IGNORE_INDEX } from "./losses/next-tokens.js";
export { distillation, type DistillationOptions } from "./objectives/distillation.js";
export { dpo, type DpoOptions } from "./objectives/dpo.js";
export { contrastive, COSINE_SIMILARITY } from "./objectives/embeddings.js";
export { CLASSIFICATION, REGRESSION } from "./objectives/heads.js";
export { kto, type KtoOptions } from "./objectives/kto.js";
export type { BatchTensors, Objective, ObjectivePass } from "./objectives/objective.js";
export { orpo } from "./objectives/orpo.js";
export { SFT } from "./objectives/sft.js";
export { ADAFACTOR, type AdafactorHyper } from "./optimizers/adafactor.js";
export { ADAM } from "./optimizers/adam.js";
export { ADAMW_8BIT, type Adamw8bitHyper } from "./optimizers/adamw-8bit.js";
export { type AdamHyper, ADAMW } from "./optimizers/adamw.js";
export { emaStep } from "./optimizers/ema.js";
export { LION_8BIT } from "./optimizers/lion-8bit.js";
export { LION, type LionHyper } from "./optimizers/lion.js";
export { MUON, type MuonHyper } from "./optimizers/muon.js";
export type { Hyper, Now, Optimizer, OptimizerState, Stepped } from "./optimizers/optimizer.js";
export { type GroupOptions, type ParameterGroup, parameterGroup } from "./optimizers/parameter-groups.js";
export { SGD, type SgdHyper } from "./optimizers/sgd.js";
export { type OptimizerName, optimizerOf, OPTIMIZERS } from "./optimizers/table.js";
export { TORCH_ADAFACTOR, type TorchAdafactorHyper } from "./optimizers/torch-adafactor.js";
export type { Comparison, EvaluationSchedule } from "./schedules/by-evaluation.js";
export { CONSTANT, CONSTANT_WITH_WARMUP } from "./schedules/constant.js";
export { COSINE, COSINE_WARMUP_WITH_MIN_LR, COSINE_WITH_MIN_LR, COSINE_WITH_RESTARTS, type LeastRate } from "./schedules/cosine.js";
export { GREEDY, type GreedyArgs } from "./schedules/greedy.js";
export { INVERSE_SQRT } from "./schedules/inverse-sqrt.js";
export { LINEAR } from "./schedules/linear.js";
export { POLYNOMIAL } from "./schedules/polynomial.js";
export { REDUCE_ON_PLATEAU, type ReduceOnPlateauArgs } from "./schedules/reduce-on-plateau.js";
export type { Schedule, ScheduleArgs, ScheduleRun } from "./schedules/schedule.js";
export {
  EVALUATION_SCHEDULES,
  type EvaluationScheduleName,
  learningRates,
  type LearningRates,
  type ScheduleName,
  SCHEDULES,
  type StepScheduleName,
  warmupStepsOf,
} from "./schedules/table.js";
export { WARMUP_STABLE_DECAY, type WarmupStableDecayArgs } from "./schedules/warmup-stable-decay.js";
export { type Batch, type BatchField, batchTensors, type TrainingData } from "./train/batch.js";
export { estimateMemory, type TrainingMemory } from "./train/estimate-memory.js";
export { type DeviceRates, estimateTime, type TrainingTime } from "./train/estimate-time.js";
export { biases, type FullModel, fullModel, type WeightFilter } from "./train/full-model.js";
export type { GradientCheckpointing, Settings, TrainingArguments } from "./train/options.js";
export type { LossScaleState } from "./train/loss-scale.js";
export { passOf, type PassOptions } from "./train/pass.js";
export { type OfferOptions, type SmallerOffer, smallerOffers } from "./train/smaller-offers.js";
export type { EstimateOptions } from "./train/step-calls.js";
export { encodeTensorBoardEvent, tensorBoardEvent, type TensorBoardEvent, tensorBoardStart } from "./records/tensorboard.js";
export type { RecordedSettings } from "./train/recorded-settings.js";
export type { EvaluationRecord, HistoryEntry, StepRecord, TrainingPosition } from "./train/record.js";
export { train, type Training } from "./train/train.js";
export type { Resume, Snapshot, TrainingOptions } from "./train/training-options.js";
export type { Trainee } from "./train/trainee.js";
