import { ENCODER_TASKS, TEXT_OBJECTIVES, TRAIN_FIELDS, type TrainField } from "@weft/fine-tuning/fields";

/** What only a command line sets: files are chosen here. */
const ELSEWHERE: ReadonlySet<string> = new Set([
  "model_name_or_path",
  "train_file",
  "output_dir",
  "validation_file",
  "save_total_limit",
  "logging_dir",
  "report_file",
  "offline",
  "device",
]);

const isText = (choice: string): boolean => !(ENCODER_TASKS as readonly string[]).includes(choice);

/** The settings of a training in the studio: those of `weft train`, of language models. */
export const STUDIO_FIELDS: readonly TrainField[] = TRAIN_FIELDS.filter(({ name }) => !ELSEWHERE.has(name)).map((field) =>
  field.name === "objective"
    ? { ...field, choices: field.choices!.filter(isText), help: `what is learnt: ${TEXT_OBJECTIVES.join(", ")} (default: sft)` }
    : field,
);
