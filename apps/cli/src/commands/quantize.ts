import type { GgufTargetName, QuantTargetName } from "@weft/checkpoint/names";
import {
  checkPlace,
  type EncodeJobOptions,
  type EncodeResult,
  measureImportance,
  quantizeCheckpoint,
  quantizeToGguf,
} from "@weft/checkpoint/node";
import { QUANT_TARGETS } from "@weft/checkpoint/names";
import { type Imatrix, meansOf } from "@weft/io-gguf";
import { readImatrix, writeImatrix } from "@weft/io-gguf/node";
import { basename } from "node:path";
import { type Command, type Context, EXIT } from "../context.js";
import { UsageError } from "../failure.js";
import { type CalibrationCommandOptions, withCalibration } from "../models/open-calibration.js";
import { type EncodeCommandOptions, runEncodeCommand } from "./encode-output.js";

export interface QuantizeCommandOptions extends EncodeCommandOptions, CalibrationCommandOptions {
  readonly to: QuantTargetName | GgufTargetName;
  readonly groupSize?: number;
  readonly doubleQuant?: boolean;
  readonly actOrder?: boolean;
  readonly skip?: readonly string[];
  readonly dtype?: "f32" | "f16" | "bf16";
  readonly imatrix?: string;
  readonly saveImatrix?: string;
}

const isGguf = (to: QuantizeCommandOptions["to"]): to is GgufTargetName => !(QUANT_TARGETS as readonly string[]).includes(to);

/** `weft quantize BASE --to FORMAT -o OUT`: the linear layers of a checkpoint in few bits, or all of it as a GGUF file. */
export const quantize: Command<QuantizeCommandOptions> = async ([base], options, context) => {
  const { to } = options;
  for (const option of ["samples", "sampleLength"] as const)
    if (options[option] !== undefined && options.calibration === undefined)
      throw new UsageError(
        `--${option === "samples" ? "samples" : "sample-length"} says how much of a text is read, and there is none`,
        "--calibration FILE",
      );
  if (isGguf(to)) await toGguf(base, to, options, context);
  else await toCheckpoint(base, to, options, context);
  return EXIT.done;
};

async function toCheckpoint(base: string, to: QuantTargetName, options: QuantizeCommandOptions, context: Context): Promise<void> {
  refuseStray(options, ["imatrix", "saveImatrix"], "is for GGUF files", "--calibration FILE guides awq and gptq");
  const { groupSize, doubleQuant, actOrder, skip, dtype, calibration } = options;
  const run = (job: EncodeJobOptions): Promise<EncodeResult> => {
    const settings = { ...job, to, groupSize, doubleQuant, actOrder, skip, dtype };
    if (calibration === undefined) return quantizeCheckpoint(settings);
    return withCalibration(base, options, context, (input) => quantizeCheckpoint({ ...settings, calibration: input }));
  };
  await runEncodeCommand("quantize", base, options, context, run);
}

async function toGguf(base: string, to: GgufTargetName, options: QuantizeCommandOptions, context: Context): Promise<void> {
  refuseStray(
    options,
    ["groupSize", "doubleQuant", "actOrder", "skip", "dtype", "maxShardSize"],
    "is not for GGUF files",
    "leave it out: llama.cpp's rules choose the type of each tensor",
  );
  const { imatrix, calibration, saveImatrix } = options;
  if (imatrix !== undefined && calibration !== undefined)
    throw new UsageError(
      "--imatrix names what was measured already, and --calibration measures",
      "one of them; --save-imatrix FILE keeps what is measured",
    );
  if (saveImatrix !== undefined && calibration === undefined)
    throw new UsageError("--save-imatrix keeps what is measured, and nothing is", "--calibration FILE");
  if (saveImatrix !== undefined) checkPlace(saveImatrix, [base, calibration]);
  await runEncodeCommand("quantize", base, options, context, async (job) => {
    const found = calibration === undefined ? imatrix && (await readImatrix(imatrix)) : await measured(base, job, options, context);
    const importance = found ? new Map([...found.entries].map(([name, entry]) => [name, meansOf(entry)])) : undefined;
    return quantizeToGguf({ ...job, to, importance });
  });
}

/** The importance matrix of a text. */
async function measured(
  base: string,
  job: EncodeJobOptions,
  options: QuantizeCommandOptions,
  context: Context,
): Promise<Imatrix | undefined> {
  const { calibration, saveImatrix } = options;
  // Types may follow from there being one; what is in it changes no size.
  if (job.dryRun) return { entries: new Map(), datasets: [], chunks: 0 };
  const { out: beside, signal, onProgress } = job;
  const found = await withCalibration(base, options, context, (input) =>
    measureImportance({ ...input, base, dataset: basename(calibration!), beside, signal, onProgress }),
  );
  if (saveImatrix !== undefined) await writeImatrix(saveImatrix, found);
  return found;
}

const FLAGS = {
  groupSize: "--group-size",
  doubleQuant: "--double-quant",
  actOrder: "--act-order",
  skip: "--skip",
  dtype: "--dtype",
  maxShardSize: "--max-shard-size",
  imatrix: "--imatrix",
  saveImatrix: "--save-imatrix",
} as const;

/** @throws UsageError for an option that says nothing here */
function refuseStray(options: QuantizeCommandOptions, names: readonly (keyof typeof FLAGS)[], why: string, hint: string): void {
  const stray = names.find((name) => options[name] !== undefined);
  if (stray) throw new UsageError(`${FLAGS[stray]} ${why}`, hint);
}
