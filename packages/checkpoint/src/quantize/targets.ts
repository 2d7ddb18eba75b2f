import {
  AWQ_FILES,
  awq,
  BITSANDBYTES,
  COMPRESSED_TENSORS,
  FP8_FILES,
  fourBit,
  GPTQ_FILES,
  gptq,
  LLM_INT8,
  nvfp4,
  packQuantized,
  type QuantFiles,
  type QuantFormat,
  scaled,
} from "@weft/quant-nf4-awq";
import { ConfigError } from "@weft/tensor-core";
import type { QuantTargetName } from "../names.js";
import type { WeightDType } from "../plan/plan-merge.js";

/** What a user may choose of a format. */
export interface FormatChoice {
  /** Columns that share a scale (awq, gptq, w4a16, w8a16); -1 for whole rows. */
  readonly groupSize?: number | undefined;
  /** Scales in eight bits, too (nf4, fp4). */
  readonly doubleQuant?: boolean | undefined;
}

/** A way to quantise a checkpoint of safetensors: whose files it makes, and the format of its weights. */
interface Target {
  readonly files: QuantFiles;
  /** Fields of `FormatChoice` that it has. */
  readonly takes: readonly (keyof FormatChoice)[];
  format(choice: FormatChoice): QuantFormat;
  /** What the program that reads it computes in: weights that are not quantised are stored so. */
  readonly dtype?: WeightDType;
  /** The original finds scales or corrects errors by calibration data; without, weights are rounded to the nearest. */
  readonly calibrated?: boolean;
}

const group = ({ groupSize }: FormatChoice): { readonly groupSize?: number } => (groupSize === undefined ? {} : { groupSize });
const nested = ({ doubleQuant = false }: FormatChoice): { readonly doubleQuant: boolean } => ({ doubleQuant });

/** Formats of quantised checkpoints of safetensors by the names of the command line. */
const TARGETS: Readonly<Record<QuantTargetName, Target>> = {
  nf4: { files: BITSANDBYTES, takes: ["doubleQuant"], format: (c) => fourBit({ quantType: "nf4", ...nested(c) }) },
  fp4: { files: BITSANDBYTES, takes: ["doubleQuant"], format: (c) => fourBit({ quantType: "fp4", ...nested(c) }) },
  int8: { files: BITSANDBYTES, takes: [], format: () => LLM_INT8 },
  awq: { files: AWQ_FILES, takes: ["groupSize"], format: (c) => awq(group(c)), dtype: "f16", calibrated: true },
  gptq: { files: GPTQ_FILES, takes: ["groupSize"], format: (c) => gptq(group(c)), dtype: "f16", calibrated: true },
  fp8: { files: FP8_FILES, takes: [], format: () => scaled({ rows: 128, columns: 128 }) },
  w4a16: { files: COMPRESSED_TENSORS, takes: ["groupSize"], format: (c) => packQuantized({ bits: 4, ...group(c) }) },
  w8a16: { files: COMPRESSED_TENSORS, takes: ["groupSize"], format: (c) => packQuantized({ bits: 8, ...group(c) }) },
  nvfp4: { files: COMPRESSED_TENSORS, takes: [], format: () => nvfp4() },
};

/** A format as plain data, for threads. */
export interface QuantTarget extends FormatChoice {
  readonly to: QuantTargetName;
}

/** The way that a name means. */
export const targetOf = ({ to }: Pick<QuantTarget, "to">): Target => TARGETS[to];

/** The format of a target. @throws ConfigError kind `config-value` for a choice that it does not have, or a value that is none */
export function formatOf(target: QuantTarget): QuantFormat {
  const { takes, format } = targetOf(target);
  for (const key of ["groupSize", "doubleQuant"] as const)
    if (target[key] !== undefined && !takes.includes(key))
      throw new ConfigError(`${target.to} has no ${key === "groupSize" ? "groups to choose the size of" : "scales in eight bits"}`);
  return format(target);
}
