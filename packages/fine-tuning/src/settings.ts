import type { MaskMethod, RowFormat } from "@weft/datasets";
import type { TrainingArguments } from "@weft/training";

/** What is minimised: the loss of supervised fine-tuning, or of preferences by DPO, ORPO or KTO. */
export type ObjectiveName = "sft" | "dpo" | "orpo" | "kto";

/** Settings of a fine-tuning besides where its files lie; fields of TrainingArguments are those of `@weft/training`. */
export interface FineTuningSettings extends Omit<TrainingArguments, "gradientCheckpointing" | "optimArgs"> {
  readonly objective: ObjectiveName;
  /** Of dpo, orpo and kto; 0.1 if not given. */
  readonly beta?: number;
  /** PEFT's config, in its spelling. */
  readonly peft: { readonly [field: string]: unknown };
  /** Of first values, order and dropout. */
  readonly seed: number;
  readonly learningRate: number;
  /** Examples (or packed rows) of a batch. */
  readonly perDeviceTrainBatchSize: number;
  /** Tokens of an example at most. */
  readonly maxLength: number;
  /** Several examples in a row of `maxLength` tokens, which do not see each other. */
  readonly packing?: boolean;
  /** Blocks are computed again in the backward pass. */
  readonly gradientCheckpointing?: boolean;
  /** Bytes that a step may take. */
  readonly maxMemory?: number;
  /** Rows of like length come together. */
  readonly groupByLength?: boolean;
  readonly format?: RowFormat;
  readonly columns?: Readonly<Record<string, string>>;
  readonly mask?: MaskMethod;
  /** The share of the data that is evaluated on, and not trained on. */
  readonly validationShare?: number;
  readonly saveSteps: number;
  /** The model goes on with these from time to time. */
  readonly samplePrompts: readonly string[];
}

/** What is set where nothing is given. */
export const DEFAULT_SETTINGS: FineTuningSettings = {
  objective: "sft",
  peft: {},
  seed: 42,
  learningRate: 2e-4,
  perDeviceTrainBatchSize: 4,
  maxLength: 1024,
  saveSteps: 500,
  samplePrompts: [],
};
