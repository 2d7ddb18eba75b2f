import { plainJson, parseStrictJson } from "@weft/io-safetensors";
import { FormatError } from "@weft/tensor-core";
import type { HistoryEntry, TrainingPosition } from "../train/record.js";
import type { Snapshot } from "../train/training-options.js";

/** The largest `trainer_state.json` that is read: a log of some hundred thousand steps. */
const MAX_STATE_BYTES = 64 << 20;

/** A file of a checkpoint as an object. @throws FormatError */
export function readJson(bytes: Uint8Array, file: string): { readonly [field: string]: unknown } {
  const value = plainJson(parseStrictJson(bytes, { file, maxBytes: MAX_STATE_BYTES }));
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as { readonly [field: string]: unknown };
  throw new FormatError(`${file}: expected an object`, { kind: "bad-checkpoint", file });
}

/** A number of a file. @throws FormatError kind `bad-checkpoint` */
export function numberOf(json: { readonly [field: string]: unknown }, field: string, file: string): number {
  const value = json[field];
  if (typeof value === "number" && Number.isFinite(value) && value >= 0) return value;
  throw new FormatError(`${file}: ${field} is ${JSON.stringify(value)}, expected a number from 0 on`, { kind: "bad-checkpoint", file });
}

/** An entry of the log in HF's spelling. */
const toEntry = (entry: HistoryEntry): object =>
  "evalLoss" in entry
    ? { epoch: entry.epoch, eval_loss: entry.evalLoss, step: entry.step }
    : { epoch: entry.epoch, grad_norm: entry.gradNorm, learning_rate: entry.learningRate, loss: entry.loss, step: entry.step };

/** The other way; entries of other kinds (of memory, of the whole run) are left to HF. */
function fromEntry(entry: { readonly [field: string]: unknown }): HistoryEntry[] {
  const { step, epoch, loss, grad_norm: gradNorm, learning_rate: learningRate, eval_loss: evalLoss } = entry;
  if (typeof step !== "number" || typeof epoch !== "number") return [];
  if (typeof evalLoss === "number") return [{ step, epoch, evalLoss }];
  if (typeof loss !== "number" || typeof gradNorm !== "number" || typeof learningRate !== "number") return [];
  return [{ step, epoch, loss, gradNorm, learningRate }];
}

/** `trainer_state.json` with the fields of HF's Trainer. @see transformers `trainer_callback.py` TrainerState */
export function trainerState({ position, settings }: Snapshot, batchSize: number): string {
  const { step, history, bestLoss, bestStep, numInputTokensSeen } = position;
  const json = {
    best_global_step: bestStep,
    best_metric: bestLoss,
    best_model_checkpoint: bestStep === null ? null : `checkpoint-${bestStep}`,
    epoch: history.at(-1)?.epoch ?? 0,
    eval_steps: settings.evalSteps ?? 500,
    global_step: step,
    is_hyper_param_search: false,
    is_local_process_zero: true,
    is_world_process_zero: true,
    log_history: history.map(toEntry),
    logging_steps: 1,
    max_steps: settings.maxSteps,
    num_input_tokens_seen: numInputTokensSeen,
    num_train_epochs: Math.ceil(settings.numTrainEpochs),
    save_steps: settings.saveSteps ?? 500,
    stateful_callbacks: {},
    total_flos: 0,
    train_batch_size: batchSize,
    trial_name: null,
    trial_params: null,
  };
  return `${JSON.stringify(json, null, 2)}\n`;
}

/** What HF's own file tells of a position: where it stands within an epoch is not in it. */
export function readTrainerState(
  json: { readonly [field: string]: unknown },
  file: string,
): TrainingPosition & { readonly epochs: number } {
  const history = Array.isArray(json["log_history"])
    ? json["log_history"].flatMap((entry) => fromEntry(entry as { readonly [field: string]: unknown }))
    : [];
  const { best_metric: best, best_global_step: bestStep } = json;
  return {
    step: numberOf(json, "global_step", file),
    epoch: Math.floor(numberOf(json, "epoch", file)),
    epochs: numberOf(json, "epoch", file),
    batchesInEpoch: 0,
    numInputTokensSeen: typeof json["num_input_tokens_seen"] === "number" ? json["num_input_tokens_seen"] : 0,
    bestLoss: typeof best === "number" ? best : null,
    bestStep: typeof bestStep === "number" ? bestStep : null,
    sinceBest: 0,
    lossScale: null,
    history,
  };
}
