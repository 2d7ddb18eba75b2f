import type { EncoderTask, MaskMethod } from "@weft/datasets";
import type { ObjectiveName } from "./settings.js";

/** What a setting of a training holds: a number of a range, a size as `2GB`, a text, texts, yes or no, or a map. */
export type FieldKind = NumberKind | "bytes" | "text" | "texts" | "switch" | "map";

/** Numbers of a kind: what they are, and whether one is of it. */
interface Range {
  readonly expected: string;
  readonly whole?: true;
  readonly low: number;
  readonly high: number;
}

type NumberKind = "count" | "natural" | "positive" | "share" | "size";

const RANGES: { readonly [kind in NumberKind]: Range } = {
  count: { expected: "a whole number from 1 up", whole: true, low: 1, high: Number.MAX_SAFE_INTEGER },
  natural: { expected: "a whole number from 0 up", whole: true, low: 0, high: Number.MAX_SAFE_INTEGER },
  positive: { expected: "a number above 0", low: Number.MIN_VALUE, high: Number.MAX_VALUE },
  share: { expected: "a share from 0 to 1", low: 0, high: 1 },
  size: { expected: "a number from 0 up", low: 0, high: Number.MAX_VALUE },
};

/** What a setting is about: the same words head its part of a form. */
export type FieldGroup = "files" | "method" | "steps" | "optimiser" | "memory" | "data" | "watching";

/** A setting of a training: a field of `weft train`'s file, mostly a flag of the command as well, and a field of the studio's form. */
export interface TrainField {
  /** In files: the name of transformers' TrainingArguments, of TRL's configs or, behind `peft.`, of PEFT's config, where there is one. */
  readonly name: string;
  /** As commander declares it; without one it is of files only. */
  readonly flag?: string;
  readonly group: FieldGroup;
  readonly kind: FieldKind;
  readonly choices?: readonly string[];
  readonly help: string;
}

/** The objectives of language models. */
export const TEXT_OBJECTIVES: readonly ObjectiveName[] = ["sft", "dpo", "orpo", "kto"];
/** Those of encoders, under the names of their tasks. */
export const ENCODER_TASKS: readonly EncoderTask[] = [
  "classification",
  "regression",
  "token_classification",
  "contrastive",
  "cosine_similarity",
];

/** Where models run, as the command line calls it. */
export const DEVICES = ["auto", "cpu", "onnx", "webgpu"] as const;

const MASKS: readonly MaskMethod[] = ["auto", "generation", "prompt", "headers", "all"];

/** Every setting, in the order of the help. */
export const TRAIN_FIELDS: readonly TrainField[] = [
  {
    name: "model_name_or_path",
    flag: "-m, --model <path>",
    group: "files",
    kind: "text",
    help: "base: folder, GGUF file, or hf:user/repo; quantised ones stay packed",
  },
  {
    name: "train_file",
    flag: "--data <file>",
    group: "files",
    kind: "text",
    help: "what is trained on: .jsonl, .json, .csv, .tsv, .txt, .parquet; or hf:datasets/user/repo/file",
  },
  {
    name: "output_dir",
    flag: "-o, --out <folder>",
    group: "files",
    kind: "text",
    help: "folder for the adapter, checkpoints and log.jsonl",
  },
  {
    name: "objective",
    flag: "--objective <name>",
    group: "method",
    kind: "text",
    choices: [...TEXT_OBJECTIVES, ...ENCODER_TASKS],
    help: "what is learnt (default: sft); from classification on by encoders, as BERT",
  },
  { name: "beta", flag: "--beta <value>", group: "method", kind: "positive", help: "of dpo, orpo and kto (default: 0.1)" },
  {
    name: "peft.peft_type",
    flag: "--method <name>",
    group: "method",
    kind: "text",
    help: "method of PEFT, as lora, loha, ia3 (default: lora)",
  },
  { name: "peft.r", flag: "--rank <n>", group: "method", kind: "count", help: "rank of the adapter (default: 8)" },
  {
    name: "peft.lora_alpha",
    flag: "--alpha <value>",
    group: "method",
    kind: "positive",
    help: "scale of the adapter is alpha / rank (default: 16)",
  },
  {
    name: "peft.init_lora_weights",
    flag: "--init-lora-weights <name>",
    group: "method",
    kind: "text",
    help: "start of a LoRA: gaussian, pissa, olora, orthogonal; from the data: eva, corda, lora_ga; for the base in NF4: loftq",
  },
  {
    name: "peft.target_modules",
    flag: "--target <modules>",
    group: "method",
    kind: "text",
    help: "modules by name, with commas (default: all-linear)",
  },
  { name: "learning_rate", flag: "--lr <rate>", group: "steps", kind: "positive", help: "learning rate (default: 2e-4)" },
  {
    name: "num_train_epochs",
    flag: "--epochs <n>",
    group: "steps",
    kind: "positive",
    help: "how often the data are gone through (default: 3)",
  },
  { name: "max_steps", flag: "--max-steps <n>", group: "steps", kind: "count", help: "steps of the optimiser, instead of epochs" },
  {
    name: "per_device_train_batch_size",
    flag: "--batch-size <n>",
    group: "steps",
    kind: "count",
    help: "examples (or packed rows) of a batch (default: 4)",
  },
  {
    name: "gradient_accumulation_steps",
    flag: "--gradient-accumulation <n>",
    group: "steps",
    kind: "count",
    help: "batches of a step (default: 1)",
  },
  { name: "max_length", flag: "--max-length <n>", group: "data", kind: "count", help: "tokens of an example at most (default: 1024)" },
  {
    name: "packing",
    flag: "--packing",
    group: "data",
    kind: "switch",
    help: "several examples in a row of max-length tokens, which do not see each other",
  },
  {
    name: "group_by_length",
    flag: "--group-by-length",
    group: "data",
    kind: "switch",
    help: "examples of like length come into one batch: less padding",
  },
  {
    name: "lr_scheduler_type",
    flag: "--schedule <name>",
    group: "steps",
    kind: "text",
    help: "as transformers calls it: linear, cosine, constant_with_warmup … (default: linear)",
  },
  { name: "lr_scheduler_kwargs", group: "steps", kind: "map", help: "constants of the schedule" },
  {
    name: "warmup_steps",
    flag: "--warmup <n>",
    group: "steps",
    kind: "size",
    help: "steps of rising rate; below 1 a share of all steps (default: 0)",
  },
  {
    name: "optim",
    flag: "--optim <name>",
    group: "optimiser",
    kind: "text",
    help: "as transformers calls it: adamw_torch, adamw_8bit, lion_32bit … (default: adamw_torch)",
  },
  { name: "weight_decay", flag: "--weight-decay <value>", group: "optimiser", kind: "size", help: "of the optimiser (default: 0)" },
  {
    name: "max_grad_norm",
    flag: "--max-grad-norm <value>",
    group: "optimiser",
    kind: "size",
    help: "norm that gradients are clipped to, 0 for none (default: 1)",
  },
  { name: "adam_beta1", group: "optimiser", kind: "share", help: "of Adam and its kin" },
  { name: "adam_beta2", group: "optimiser", kind: "share", help: "of Adam and its kin" },
  { name: "adam_epsilon", group: "optimiser", kind: "positive", help: "of Adam and its kin" },
  { name: "label_smoothing_factor", group: "optimiser", kind: "share", help: "of the cross-entropy" },
  { name: "loraplus_lr_ratio", group: "optimiser", kind: "positive", help: "LoRA+: how many times the rate of A is that of B" },
  { name: "ema_decay", group: "optimiser", kind: "share", help: "of a running average, which is evaluated and saved instead" },
  {
    name: "gradient_checkpointing",
    flag: "--gradient-checkpointing",
    group: "memory",
    kind: "switch",
    help: "compute blocks again in the backward pass: less memory, more time",
  },
  {
    name: "max_memory",
    flag: "--max-memory <size>",
    group: "memory",
    kind: "bytes",
    help: "memory that a step may take: blocks are computed again if they must, and what does not fit is refused with what would",
  },
  { name: "seed", flag: "--seed <n>", group: "steps", kind: "natural", help: "of first values, order and dropout (default: 42)" },
  {
    name: "format",
    flag: "--format <name>",
    group: "data",
    kind: "text",
    help: "what rows are, where their columns do not tell: chat, completion, text, preference …",
  },
  { name: "columns", group: "data", kind: "map", help: "which column holds what the format calls so" },
  {
    name: "mask",
    flag: "--mask <name>",
    group: "data",
    kind: "text",
    choices: MASKS,
    help: "how it is told what is trained on (default: auto)",
  },
  { name: "validation_file", flag: "--eval-data <file>", group: "files", kind: "text", help: "what is evaluated on" },
  {
    name: "validation_share",
    flag: "--eval-share <share>",
    group: "watching",
    kind: "share",
    help: "evaluate on this share of the data instead, and do not train on it",
  },
  {
    name: "eval_steps",
    flag: "--eval-steps <n>",
    group: "watching",
    kind: "count",
    help: "steps between evaluations (default: every epoch)",
  },
  {
    name: "early_stopping_patience",
    flag: "--early-stopping-patience <n>",
    group: "watching",
    kind: "count",
    help: "end after so many evaluations without a better loss",
  },
  { name: "early_stopping_threshold", group: "watching", kind: "size", help: "by how much a loss must be lower to be better" },
  {
    name: "save_steps",
    flag: "--save-steps <n>",
    group: "watching",
    kind: "count",
    help: "steps between checkpoints (default: 500); the last is always written",
  },
  {
    name: "save_total_limit",
    flag: "--save-total-limit <n>",
    group: "watching",
    kind: "count",
    help: "checkpoints that are kept, besides the best (default: all)",
  },
  {
    name: "sample_prompts",
    flag: "--sample-prompt <text>",
    group: "watching",
    kind: "texts",
    help: "show how the model goes on with this (repeat for several)",
  },
  {
    name: "sample_steps",
    flag: "--sample-steps <n>",
    group: "watching",
    kind: "count",
    help: "steps between samples (default: at the end)",
  },
  { name: "logging_dir", flag: "--logging-dir <folder>", group: "files", kind: "text", help: "also write an event file for TensorBoard" },
  {
    name: "report_file",
    flag: "--report <file>",
    group: "files",
    kind: "text",
    help: "also write a page (HTML) with curves, samples and settings",
  },
  {
    name: "offline",
    flag: "--offline",
    group: "files",
    kind: "switch",
    help: "fetch nothing: models and data of the hub are in its cache",
  },
  {
    name: "device",
    flag: "--device <name>",
    group: "files",
    kind: "text",
    choices: DEVICES,
    help: "where it runs; auto: a real GPU, else WebAssembly (default: auto)",
  },
];

/** "256MB", "4GiB", "1000000": bytes. @returns undefined for a text that is no size of at least one byte */
export function parseByteSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?$/i.exec(text.trim());
  if (!match) return undefined;
  const power = " kmgt".indexOf((match[2] || " ").toLowerCase());
  const bytes = Math.floor(Number(match[1]) * (match[3] ? 1024 : 1000) ** power);
  return Number.isSafeInteger(bytes) && bytes >= 1 ? bytes : undefined;
}

const isMap = (value: unknown): boolean => typeof value === "object" && value !== null && !Array.isArray(value);

/** What a setting must hold and a value is not, in words; undefined if all is well. */
export function expectedOf({ kind, choices }: TrainField, value: unknown): string | undefined {
  if (Object.hasOwn(RANGES, kind)) {
    const { expected, low, high, whole } = RANGES[kind as NumberKind];
    const isOne = typeof value === "number" && value >= low && value <= high && (!whole || Number.isInteger(value));
    return isOne ? undefined : typeof value === "number" ? expected : "a number";
  }
  if (kind === "bytes") return parseByteSize(String(value)) === undefined ? "a size such as 256MB or 4GB" : undefined;
  if (kind === "switch") return typeof value === "boolean" ? undefined : "true or false";
  if (kind === "texts") return Array.isArray(value) && value.every((one) => typeof one === "string") ? undefined : "a list of texts";
  if (kind === "map") return isMap(value) ? undefined : "fields";
  if (typeof value !== "string") return "a text";
  return choices && !choices.includes(value) ? `one of ${choices.join(", ")}` : undefined;
}
