import type { FieldGroup } from "@weft/fine-tuning/fields";
import type { Offer, Plan } from "../../protocol/answers.js";
import { about, bytes, whole } from "../../ui/format.js";

const OFFERS: { readonly [name: string]: string } = {
  "gradient-checkpointing": "Compute blocks again",
  "batch-size": "Batch of",
  "max-length": "Length",
  rank: "Rank",
  "4-bit-base": "4-bit base",
};

/** What the setup of a training says. */
export const SETUP = {
  title: "Set up a training",
  model: "Model",
  data: "Data",
  all: "All settings",
  groups: {
    files: "Files",
    method: "Method",
    steps: "Steps",
    optimiser: "Optimiser",
    memory: "Memory",
    data: "Data",
    watching: "Evaluation, checkpoints, samples",
  } satisfies { readonly [group in FieldGroup]: string },
  /** The few that one looks at first, in words. */
  few: {
    learning_rate: "Learning rate",
    num_train_epochs: "Epochs",
    max_steps: "Steps, instead of epochs",
    per_device_train_batch_size: "Batch size",
    max_length: "Length",
    "peft.r": "Rank",
    packing: "Packing",
    sample_prompts: "Prompts to go on with, one a line",
  } as { readonly [name: string]: string },
  usual: (value: string): string => (value === "" ? "as usual" : `as usual: ${value}`),
  expected: (what: string): string => `Expected ${what}.`,
  working: "Working out what it takes.",
  ready: ({ seconds, peakBytes }: Plan): string => `Ready: ${about(seconds)} and ${bytes(peakBytes)} on this device.`,
  detail: ({ steps, weightBytes, stateBytes, trainable }: Plan): string =>
    `${whole(steps)} steps. Memory: ${bytes(weightBytes)} of weights, ${bytes(stateBytes)} of adapter and optimiser. ${trainable.replaceAll(" || ", ", ")}.`,
  smaller: "With less memory",
  offer: ({ name, value, bytes: size }: Offer): string =>
    `${OFFERS[name] ?? name}${value === undefined ? "" : ` ${value}`}: ${bytes(size)}`,
  mend: "Mend the marked settings first.",
  busy: "A training is under way. Wait for its end, or stop it.",
  start: "Start",
  back: "Back to the run",
  copy: "Copy as command",
  copied: "Copied.",
  mask: "See what is trained on",
} as const;
