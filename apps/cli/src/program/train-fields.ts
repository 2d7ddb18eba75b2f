import type { EncoderTask } from "@weft/datasets";
import type { ObjectiveName } from "@weft/fine-tuning";
import { DEVICES } from "../models/device-names.js";
import { count, natural, positive, share, size } from "./values.js";

/** How the text of a value is read. */
export const PARSERS = { count, natural, positive, share, size } as const;

/** What a setting of a training holds: a number that a parser reads, a size as 2GB, a text, texts, yes or no, or a map that only a file can hold. */
export type FieldKind = keyof typeof PARSERS | "bytes" | "text" | "texts" | "switch" | "map";

/** A setting of `weft train`: a field of its file, and mostly a flag as well. */
export interface TrainField {
  /** In files: the name of transformers' TrainingArguments, of TRL's configs or, behind `peft.`, of PEFT's config, where there is one. */
  readonly name: string;
  /** As commander declares it; without one it is of files only. */
  readonly flag?: string;
  readonly kind: FieldKind;
  readonly choices?: readonly string[];
  readonly help: string;
}

/** The objectives of language models. */
const TEXT_OBJECTIVES: readonly ObjectiveName[] = ["sft", "dpo", "orpo", "kto"];
/** Those of encoders, under the names of their tasks. */
const ENCODER_TASKS: readonly EncoderTask[] = ["classification", "regression", "token_classification", "contrastive", "cosine_similarity"];

/** Whether an objective is one of encoders. */
export const isEncoderTask = (objective: ObjectiveName | EncoderTask): objective is EncoderTask =>
  (ENCODER_TASKS as readonly string[]).includes(objective);

const MASKS = ["auto", "generation", "prompt", "headers", "all"] as const;

/** Every setting, in the order of the help. */
export const TRAIN_FIELDS: readonly TrainField[] = [
  {
    name: "model_name_or_path",
    flag: "-m, --model <path>",
    kind: "text",
    help: "base: folder, GGUF file, or hf:user/repo; quantised ones stay packed",
  },
  {
    name: "train_file",
    flag: "--data <file>",
    kind: "text",
    help: "what is trained on: .jsonl, .json, .csv, .tsv, .txt, .parquet; or hf:datasets/user/repo/file",
  },
  { name: "output_dir", flag: "-o, --out <folder>", kind: "text", help: "folder for the adapter, checkpoints and log.jsonl" },
  {
    name: "objective",
    flag: "--objective <name>",
    kind: "text",
    choices: [...TEXT_OBJECTIVES, ...ENCODER_TASKS],
    help: "what is learnt (default: sft); from classification on by encoders, as BERT",
  },
  { name: "beta", flag: "--beta <value>", kind: "positive", help: "of dpo, orpo and kto (default: 0.1)" },
  { name: "peft.peft_type", flag: "--method <name>", kind: "text", help: "method of PEFT, as lora, loha, ia3 (default: lora)" },
  { name: "peft.r", flag: "--rank <n>", kind: "count", help: "rank of the adapter (default: 8)" },
  { name: "peft.lora_alpha", flag: "--alpha <value>", kind: "positive", help: "scale of the adapter is alpha / rank (default: 16)" },
  {
    name: "peft.init_lora_weights",
    flag: "--init-lora-weights <name>",
    kind: "text",
    help: "start of a LoRA: gaussian, pissa, olora, orthogonal; from the data: eva, corda, lora_ga; for the base in NF4: loftq",
  },
  { name: "peft.target_modules", flag: "--target <modules>", kind: "text", help: "modules by name, with commas (default: all-linear)" },
  { name: "learning_rate", flag: "--lr <rate>", kind: "positive", help: "learning rate (default: 2e-4)" },
  { name: "num_train_epochs", flag: "--epochs <n>", kind: "positive", help: "how often the data are gone through (default: 3)" },
  { name: "max_steps", flag: "--max-steps <n>", kind: "count", help: "steps of the optimiser, instead of epochs" },
  {
    name: "per_device_train_batch_size",
    flag: "--batch-size <n>",
    kind: "count",
    help: "examples (or packed rows) of a batch (default: 4)",
  },
  { name: "gradient_accumulation_steps", flag: "--gradient-accumulation <n>", kind: "count", help: "batches of a step (default: 1)" },
  { name: "max_length", flag: "--max-length <n>", kind: "count", help: "tokens of an example at most (default: 1024)" },
  {
    name: "packing",
    flag: "--packing",
    kind: "switch",
    help: "several examples in a row of max-length tokens, which do not see each other",
  },
  { name: "group_by_length", flag: "--group-by-length", kind: "switch", help: "examples of like length come into one batch: less padding" },
  {
    name: "lr_scheduler_type",
    flag: "--schedule <name>",
    kind: "text",
    help: "as transformers calls it: linear, cosine, constant_with_warmup … (default: linear)",
  },
  { name: "lr_scheduler_kwargs", kind: "map", help: "constants of the schedule" },
  { name: "warmup_steps", flag: "--warmup <n>", kind: "size", help: "steps of rising rate; below 1 a share of all steps (default: 0)" },
  {
    name: "optim",
    flag: "--optim <name>",
    kind: "text",
    help: "as transformers calls it: adamw_torch, adamw_8bit, lion_32bit … (default: adamw_torch)",
  },
  { name: "weight_decay", flag: "--weight-decay <value>", kind: "size", help: "of the optimiser (default: 0)" },
  {
    name: "max_grad_norm",
    flag: "--max-grad-norm <value>",
    kind: "size",
    help: "norm that gradients are clipped to, 0 for none (default: 1)",
  },
  { name: "adam_beta1", kind: "share", help: "of Adam and its kin" },
  { name: "adam_beta2", kind: "share", help: "of Adam and its kin" },
  { name: "adam_epsilon", kind: "positive", help: "of Adam and its kin" },
  { name: "label_smoothing_factor", kind: "share", help: "of the cross-entropy" },
  { name: "loraplus_lr_ratio", kind: "positive", help: "LoRA+: how many times the rate of A is that of B" },
  { name: "ema_decay", kind: "share", help: "of a running average, which is evaluated and saved instead" },
  {
    name: "gradient_checkpointing",
    flag: "--gradient-checkpointing",
    kind: "switch",
    help: "compute blocks again in the backward pass: less memory, more time",
  },
  {
    name: "max_memory",
    flag: "--max-memory <size>",
    kind: "bytes",
    help: "memory that a step may take: blocks are computed again if they must, and what does not fit is refused with what would",
  },
  { name: "seed", flag: "--seed <n>", kind: "natural", help: "of first values, order and dropout (default: 42)" },
  {
    name: "format",
    flag: "--format <name>",
    kind: "text",
    help: "what rows are, where their columns do not tell: chat, completion, text, preference …",
  },
  { name: "columns", kind: "map", help: "which column holds what the format calls so" },
  { name: "mask", flag: "--mask <name>", kind: "text", choices: MASKS, help: "how it is told what is trained on (default: auto)" },
  { name: "validation_file", flag: "--eval-data <file>", kind: "text", help: "what is evaluated on" },
  {
    name: "validation_share",
    flag: "--eval-share <share>",
    kind: "share",
    help: "evaluate on this share of the data instead, and do not train on it",
  },
  { name: "eval_steps", flag: "--eval-steps <n>", kind: "count", help: "steps between evaluations (default: every epoch)" },
  {
    name: "early_stopping_patience",
    flag: "--early-stopping-patience <n>",
    kind: "count",
    help: "end after so many evaluations without a better loss",
  },
  { name: "early_stopping_threshold", kind: "size", help: "by how much a loss must be lower to be better" },
  {
    name: "save_steps",
    flag: "--save-steps <n>",
    kind: "count",
    help: "steps between checkpoints (default: 500); the last is always written",
  },
  {
    name: "save_total_limit",
    flag: "--save-total-limit <n>",
    kind: "count",
    help: "checkpoints that are kept, besides the best (default: all)",
  },
  {
    name: "sample_prompts",
    flag: "--sample-prompt <text>",
    kind: "texts",
    help: "show how the model goes on with this (repeat for several)",
  },
  { name: "sample_steps", flag: "--sample-steps <n>", kind: "count", help: "steps between samples (default: at the end)" },
  { name: "logging_dir", flag: "--logging-dir <folder>", kind: "text", help: "also write an event file for TensorBoard" },
  { name: "report_file", flag: "--report <file>", kind: "text", help: "also write a page (HTML) with curves, samples and settings" },
  { name: "offline", flag: "--offline", kind: "switch", help: "fetch nothing: models and data of the hub are in its cache" },
  {
    name: "device",
    flag: "--device <name>",
    kind: "text",
    choices: DEVICES,
    help: "where it runs; auto: a real GPU, else WebAssembly (default: auto)",
  },
];

/** The name under which commander hands on a flag: `--batch-size <n>` as `batchSize`. */
export const attributeOf = (flag: string): string =>
  /--([a-z-]+)/.exec(flag)![1]!.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
