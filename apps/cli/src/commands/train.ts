import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { checkOutput } from "@weft/checkpoint/node";
import { formatBytes } from "@weft/checkpoint/format";
import { formatLens, lensOf } from "@weft/datasets";
import { largestBatch, recordedSettings, sampleTexts, stepsOf } from "@weft/fine-tuning";
import type { AdaptedCausalLM } from "@weft/generation";
import { writeFileAtomic } from "@weft/io-safetensors/node";
import { savePretrained } from "@weft/registry/node";
import { CancelledError, ConfigError, throwIfAborted } from "@weft/tensor-core";
import { type StepRecord, train, type Training } from "@weft/training";
import { saveTo } from "@weft/training/node";
import { type Command, type Context, EXIT } from "../context.js";
import { UsageError } from "../failure.js";
import { openModel, type OpenedModel } from "../models/open-model.js";
import { formatCount } from "../output.js";
import { isEncoderTask } from "../program/train-fields.js";
import { formatSeconds } from "../progress.js";
import { advised, assertUseful } from "../training/advised.js";
import { assertFits, fitOf, offersText, timeOf } from "../training/fit.js";
import { initConfig } from "../training/init-config.js";
import { readTrainConfig, type TrainConfig, type TrainFlags } from "../training/train-config.js";
import { type DataOfTraining, readTrainingData } from "../training/training-data.js";
import { TensorBoardLog } from "../training/tensorboard-log.js";
import { TrainingLine } from "../training/training-line.js";
import { TrainingLog } from "../training/training-log.js";
import { writeReport } from "../training/training-report.js";
import { adapterOfCheckpoint, newAdapter, optionsOf, type TrainedAdapter } from "../training/training-run.js";
import { verifyResume } from "../training/verify-resume.js";

/** `weft train [CONFIG] -m MODEL --data FILE -o OUT` */
export const trainModel: Command<TrainFlags, [string | undefined]> = async ([file], flags, context) => {
  if (flags.init) return initConfig(file, flags, context);
  const given = readTrainConfig(file, flags);
  const resumes = flags.resume === true;
  const { dryRun, force } = context.options;
  const writes = !dryRun && flags.verifyResume !== true;
  if (writes) checkOutputFolder(given, resumes, force);
  const { opened, data, config, classes } = await openTraining(given, context);
  try {
    if (flags.verifyResume) {
      const proof = await verifyResume(config, opened, data, context);
      context.out.result({ verified: true, ...proof }, () => `✓ ${proof.steps} steps at once and in two parts are equal, byte for byte`);
      return EXIT.done;
    }
    const adapter = resumes
      ? await adapterOfCheckpoint(opened, config, config.outputDir, data.from(0), context)
      : await newAdapter(opened.base, config, data.from(0), context);
    if (dryRun) await showPlan(config, adapter, opened, data, context);
    if (dryRun) return EXIT.done;
    if (config.maxMemory !== undefined)
      assertFits(await fitOf(config, opened, adapter, largestBatch(data.from(0)), context), config.maxMemory);
    await run(config, { ...adapter, allowChangedSettings: flags.allowChangedSettings === true, classes }, opened, data, context);
    return EXIT.done;
  } finally {
    opened.device.dispose();
  }
};

/** Beside the adapter of a classifier: the names of its classes, in the order of their numbers. */
const CLASSES = "classes.json";

/** What a training is of. */
interface OpenedTraining {
  readonly opened: OpenedModel;
  readonly data: DataOfTraining;
  readonly config: TrainConfig;
  readonly classes: readonly string[];
}

/** Opens model and data, and refuses data that would be trained on in vain. */
async function openTraining(config: TrainConfig, context: Context): Promise<OpenedTraining> {
  const { objective } = config;
  if (isEncoderTask(objective)) {
    if (config.samplePrompts.length > 0) throw new UsageError("an encoder writes no text", "leave --sample-prompt out");
    const { openEncoder, taskTypeOf } = await import("../training/open-encoder.js");
    const { opened, data } = await openEncoder(config, objective, context);
    const peft = { task_type: taskTypeOf(objective), ...config.peft };
    return { opened, data, classes: data.classes, config: { ...config, peft, hardNegatives: data.hardNegatives } };
  }
  const opened = await openModel({ model: config.modelNameOrPath, adapter: [], device: config.device, offline: config.offline }, context);
  try {
    const data = await readTrainingData({ ...config, objective }, opened, context);
    if (context.options.dryRun) showExamples(data, opened, context);
    assertUseful(data.coverage);
    return { opened, data, config, classes: [] };
  } catch (error) {
    opened.device.dispose();
    throw error;
  }
}

/** Samples are taken after the last step whatever the number. */
const AT_THE_END = Number.MAX_SAFE_INTEGER;

const CHECKPOINT = /^checkpoint-\d+$/;

const checkpointsIn = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder).filter((name) => CHECKPOINT.test(name)) : []);

/** Refuses a folder that holds an adapter or checkpoints. */
function checkOutputFolder({ outputDir, modelNameOrPath, trainFile }: TrainConfig, resumes: boolean, force: boolean): void {
  checkOutput(outputDir, [modelNameOrPath, trainFile], force || resumes);
  if (!force && !resumes && checkpointsIn(outputDir).length > 0)
    throw new ConfigError(`${outputDir} holds checkpoints of a training`, {
      kind: "exists",
      file: outputDir,
      hint: "--resume goes on from the last one, --force begins anew",
    });
}

/** The first examples, token by token: also those of data that are refused, to see why. */
function showExamples({ first, coverage }: Awaited<ReturnType<typeof readTrainingData>>, { files }: OpenedModel, { out }: Context): void {
  const lenses = first.map((one) => lensOf(one, files.tokenizer));
  if (out.json) return lenses.forEach((lens) => out.event({ event: "example", ...lens }));
  if (out.quiet) return;
  const { examples, tokens, trained, share, truncated, end, lengths } = coverage;
  const color = out.streams.color?.stdout ?? false;
  for (const lens of lenses) out.streams.stdout(`${formatLens(lens, { color })}\n`);
  const lines = [
    `${formatCount(examples)} examples, ${formatCount(trained)} of ${formatCount(tokens)} tokens are trained on (${(100 * share).toFixed(1)}%)`,
    `lengths: ${lengths.min} to ${lengths.max}, half of them up to ${lengths.median}; ${formatCount(truncated.count)} are cut`,
    `end token: trained in ${end.trained} examples, not in ${end.untrained}, unknown in ${end.unknown}`,
  ];
  out.streams.stdout(`\n${lines.join("\n")}\n`);
}

/** What would be trained, how much memory that takes, and how long. */
async function showPlan(
  config: TrainConfig,
  adapter: TrainedAdapter,
  opened: OpenedModel,
  { coverage, batches, from }: DataOfTraining,
  context: Context,
): Promise<void> {
  const steps = stepsOf(config, batches);
  const fit = await fitOf(config, opened, adapter, largestBatch(from(0)), context);
  if (config.maxMemory !== undefined) assertFits(fit, config.maxMemory);
  const time = await timeOf(config, adapter, from(0), steps);
  const trainable = adapter.peft.describeTrainableParameters();
  const { peakBytes, weightBytes, stateBytes } = fit.memory;
  context.out.result({ trainable, steps, batches, coverage, ...fit, time }, () =>
    [
      trainable,
      `${formatCount(steps)} steps, about ${formatSeconds(time.seconds)} on this device (${formatSeconds(time.secondsPerStep)} each)`,
      `memory of the largest: ${formatBytes(peakBytes)}, of which weights ${formatBytes(weightBytes)} and state ${formatBytes(stateBytes)}`,
      `with less: ${offersText(fit.offers, peakBytes)}`,
    ].join("\n"),
  );
}

/** @throws what `train` throws, with what to do about it */
function begun(...given: Parameters<typeof train>): Training {
  try {
    return train(...given);
  } catch (error) {
    throw advised(error, undefined);
  }
}

/** Trains, and writes the adapter. @throws CancelledError after a signal, when the checkpoint is written */
async function run(
  config: TrainConfig,
  adapter: TrainedAdapter & { readonly allowChangedSettings: boolean; readonly classes: readonly string[] },
  opened: OpenedModel,
  data: DataOfTraining,
  context: Context,
): Promise<void> {
  const { out, signal } = context;
  const { outputDir, perDeviceTrainBatchSize, saveTotalLimit, samplePrompts, evalSteps } = config;
  const { peft, resume, allowChangedSettings, classes } = adapter;
  const training = begun(peft, data.from(resume?.position.epoch ?? 0), {
    ...optionsOf(config),
    resume,
    allowChangedSettings,
    recordedSettings: recordedSettings(config, config.modelNameOrPath, data.digest),
    save: saveTo(outputDir, { trainBatchSize: perDeviceTrainBatchSize, ...(saveTotalLimit !== undefined && { saveTotalLimit }) }),
    ...(data.evaluation && { evalData: data.evaluation, evalSteps }),
    ...(samplePrompts.length > 0 && {
      sample: () => sampleTexts(peft as unknown as AdaptedCausalLM, samplePrompts, opened.files),
      sampleSteps: config.sampleSteps ?? AT_THE_END,
    }),
  });
  const { maxSteps } = training.settings;
  throwIfAborted(signal);
  const stop = (): void => {
    out.note("stopping after this step; again: at once, without a checkpoint");
    training.stop();
  };
  signal.addEventListener("abort", stop, { once: true });
  // With --force: those of the training before, from which --resume would go on.
  if (!resume) for (const name of checkpointsIn(outputDir)) rmSync(join(outputDir, name), { recursive: true });
  const began = performance.now();
  const log = new TrainingLog(outputDir, resume?.position.step ?? 0);
  const logs = [log, ...(config.loggingDir === undefined ? [] : [new TensorBoardLog(config.loggingDir, resume?.position.step ?? 0)])];
  const line = new TrainingLine(out, maxSteps);
  let [last, checkpoint]: [StepRecord | undefined, string | undefined] = [undefined, adapter.checkpoint];
  try {
    for await (const record of training) {
      last = record;
      checkpoint = record.checkpoint ?? checkpoint;
      for (const one of logs) one.add(record);
      line.update(record);
    }
  } catch (error) {
    throw advised(error, checkpoint);
  } finally {
    line.end();
    signal.removeEventListener("abort", stop);
  }
  if (last?.ended === "stopped" && last.step < maxSteps)
    throw new CancelledError(`stopped after step ${last.step} of ${maxSteps}; ${checkpoint} has what was learnt`, {
      hint: "the same command with --resume goes on",
    });
  await savePretrained(peft, outputDir);
  if (classes.length > 0) await writeFileAtomic(join(outputDir, CLASSES), `${JSON.stringify(classes, null, 2)}\n`);
  if (config.reportFile !== undefined) await writeReport(config.reportFile, log.file, config);
  const { step = resume?.position.step ?? 0, loss } = last ?? {};
  const seconds = (performance.now() - began) / 1000;
  out.result({ out: outputDir, steps: step, loss, evaluation: last?.evaluation, ended: last?.ended, seconds, checkpoint }, () =>
    last
      ? `✓ ${outputDir}: adapter after ${step} steps, loss ${loss!.toFixed(4)}`
      : `✓ ${outputDir}: the training was over after step ${step}`,
  );
}
