import type { GgufTargetName, QuantTargetName } from "@weft/checkpoint/names";
import {
  checkPlace,
  checkReport,
  type EncodeJobOptions,
  type EncodeResult,
  measureImportance,
  quantizeCheckpoint,
  quantizeToGguf,
} from "@weft/checkpoint/node";
import { GGUF_ALIASES, QUANT_TARGETS } from "@weft/checkpoint/names";
import { type Imatrix, meansOf } from "@weft/io-gguf";
import { readImatrix, writeImatrix } from "@weft/io-gguf/node";
import { basename } from "node:path";
import { type Command, type Context, EXIT } from "../context.js";
import { UsageError } from "../failure.js";
import { writeQuantizeReport } from "../files/quantize-report.js";
import { type CalibrationCommandOptions, withCalibration } from "../models/open-calibration.js";
import { type EncodeCommandOptions, runEncodeCommand } from "./encode-output.js";

export interface QuantizeCommandOptions extends EncodeCommandOptions, CalibrationCommandOptions {
  readonly to?: QuantTargetName | GgufTargetName | keyof typeof GGUF_ALIASES;
  readonly budget?: number;
  readonly report?: string;
  readonly groupSize?: number;
  readonly doubleQuant?: boolean;
  readonly actOrder?: boolean;
  readonly skip?: readonly string[];
  readonly dtype?: "f32" | "f16" | "bf16";
  readonly imatrix?: string;
  readonly saveImatrix?: string;
}

/** The mixture that a name stands for. */
const meant = (name: NonNullable<QuantizeCommandOptions["to"]>): QuantTargetName | GgufTargetName =>
  GGUF_ALIASES[name as keyof typeof GGUF_ALIASES] ?? (name as QuantTargetName | GgufTargetName);

const isGguf = (to: QuantTargetName | GgufTargetName): to is GgufTargetName => !(QUANT_TARGETS as readonly string[]).includes(to);

/** `weft quantize BASE --to FORMAT -o OUT`: the linear layers of a checkpoint in few bits, or all of it as a GGUF file. */
export const quantize: Command<QuantizeCommandOptions> = async ([base], options, context) => {
  const to = options.to === undefined ? undefined : meant(options.to);
  for (const option of ["samples", "sampleLength"] as const)
    if (options[option] !== undefined && options.calibration === undefined)
      throw new UsageError(
        `--${option === "samples" ? "samples" : "sample-length"} says how much of a text is read, and there is none`,
        "--calibration FILE",
      );
  const { report, budget, out } = options;
  checkReport(report, [base, options.calibration]);
  const file = to === undefined ? out.endsWith(".gguf") : isGguf(to);
  if (to === undefined && (budget === undefined || !file))
    throw new UsageError("--to FORMAT is missing", "--to nf4; with --budget and -o MODEL.gguf, types are chosen by their errors");
  if (file && to !== undefined && budget !== undefined)
    throw new UsageError(`--to ${to} is a mixture of llama.cpp, and --budget chooses types by their errors`, "one of them");
  const result = file
    ? await toGguf(base, to as GgufTargetName | undefined, options, context)
    : await toCheckpoint(base, to as QuantTargetName, options, context);
  if (report !== undefined && result.layers)
    await writeQuantizeReport(report, result.layers, {
      ...result,
      weighted: options.calibration !== undefined || options.imatrix !== undefined,
    });
  return EXIT.done;
};

/** Whether what was written is measured: for a report, and where errors decided. */
const measures = ({ report, budget }: QuantizeCommandOptions): boolean => report !== undefined || budget !== undefined;

function toCheckpoint(base: string, to: QuantTargetName, options: QuantizeCommandOptions, context: Context): Promise<EncodeResult> {
  refuseStray(options, ["imatrix", "saveImatrix"], "is for GGUF files", "--calibration FILE guides awq and gptq");
  const { groupSize, doubleQuant, actOrder, skip, dtype, calibration, budget } = options;
  const run = (job: EncodeJobOptions): Promise<EncodeResult> => {
    const settings = { ...job, to, groupSize, doubleQuant, actOrder, skip, dtype, budget, measure: measures(options) };
    if (calibration === undefined) return quantizeCheckpoint(settings);
    return withCalibration(base, options, context, (input) => quantizeCheckpoint({ ...settings, calibration: input }));
  };
  return runEncodeCommand("quantize", base, options, context, run);
}

function toGguf(base: string, to: GgufTargetName | undefined, options: QuantizeCommandOptions, context: Context): Promise<EncodeResult> {
  refuseStray(
    options,
    ["groupSize", "doubleQuant", "actOrder", "skip", "dtype", "maxShardSize"],
    "is not for GGUF files",
    "leave it out: llama.cpp's rules choose the type of each tensor",
  );
  const { imatrix, calibration, saveImatrix, budget } = options;
  if (imatrix !== undefined && calibration !== undefined)
    throw new UsageError(
      "--imatrix names what was measured already, and --calibration measures",
      "one of them; --save-imatrix FILE keeps what is measured",
    );
  if (saveImatrix !== undefined && calibration === undefined)
    throw new UsageError("--save-imatrix keeps what is measured, and nothing is", "--calibration FILE");
  if (saveImatrix !== undefined) checkPlace(saveImatrix, [base, calibration]);
  return runEncodeCommand("quantize", base, options, context, async (job) => {
    const found = calibration === undefined ? imatrix && (await readImatrix(imatrix)) : await measured(base, job, options, context);
    const importance = found ? new Map([...found.entries].map(([name, entry]) => [name, meansOf(entry)])) : undefined;
    return quantizeToGguf({ ...job, to, importance, budget, measure: measures(options) });
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
