import type { EncoderTask } from "@weft/datasets";
import type { ObjectiveName } from "@weft/fine-tuning";
import { ENCODER_TASKS } from "@weft/fine-tuning/fields";
import { count, natural, positive, share, size } from "./values.js";

/** How the text of a number is read, by the kind of its field. */
export const PARSERS = { count, natural, positive, share, size } as const;

/** Whether an objective is one of encoders. */
export const isEncoderTask = (objective: ObjectiveName | EncoderTask): objective is EncoderTask =>
  (ENCODER_TASKS as readonly string[]).includes(objective);

/** The name under which commander hands on a flag: `--batch-size <n>` as `batchSize`. */
export const attributeOf = (flag: string): string =>
  /--([a-z-]+)/.exec(flag)![1]!.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
