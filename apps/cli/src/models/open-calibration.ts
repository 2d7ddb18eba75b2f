import type { CalibrationInput } from "@weft/checkpoint/node";
import { encodedOf, encodeExamples, toExamples } from "@weft/datasets";
import { readRowsOf } from "@weft/datasets/node";
import { type GenerationFiles, localModel, openGenerationFiles } from "@weft/generation/node";
import { readSmallFile } from "@weft/io-safetensors/node";
import { loadPretrained } from "@weft/models/node";
import { cutSamples } from "@weft/quant-nf4-awq";
import { type BlockwiseModel, CapabilityError } from "@weft/tensor-core";
import type { Context } from "../context.js";
import { UsageError } from "../failure.js";
import { openDevice } from "./open-device.js";

/** What a quantisation is calibrated by, as the command line says it. */
export interface CalibrationCommandOptions {
  readonly calibration?: string;
  readonly samples?: number;
  readonly sampleLength?: number;
}

/** Samples of a file for which no number is given. */
const SAMPLES = 64;
/** Tokens of one. */
const LENGTH = 512;

/** Opens the model of a checkpoint, block by block, and samples of a text. @param use what is done with them */
export async function withCalibration<T>(
  base: string,
  { calibration: file, samples: count = SAMPLES, sampleLength: length = LENGTH }: CalibrationCommandOptions,
  context: Context,
  use: (input: CalibrationInput) => Promise<T>,
): Promise<T> {
  const place = await localModel(base, { signal: context.signal });
  const files = await openGenerationFiles(place);
  const samples: Int32Array[] = [];
  for await (const ids of cutSamples(tokensOf(file!, files), { length, count })) samples.push(ids);
  if (samples.length === 0)
    throw new UsageError(
      `${file}: the text has less than ${length} tokens, which is one sample`,
      "a longer text, or a smaller --sample-length",
    );
  if (samples.length < count) context.out.warn(`${file}: there are ${samples.length} samples of ${length} tokens, of the ${count} wanted`);
  const device = await openDevice("cpu", context);
  try {
    const model = await loadPretrained(place, { device, whenNeeded: true, signal: context.signal });
    assertTokens(samples, model.config.vocabSize, file!);
    return await use({ model: assertBlockwise(model, base), device, samples });
  } finally {
    device.dispose();
  }
}

/** The token ids of each text of a file: all of a plain text, the rows of a file of data. */
async function* tokensOf(file: string, { tokenizer, chatTemplate }: GenerationFiles): AsyncGenerator<ArrayLike<number>> {
  if (/\.(txt|md|raw)$/i.test(file)) {
    yield tokenizer.encode(readSmallFile(file).toString("utf8"), { truncation: false, padding: false }).ids;
    return;
  }
  const options = { tokenizer, mask: "all", ...(chatTemplate && { template: chatTemplate }) } as const;
  for await (const example of encodeExamples(toExamples(readRowsOf(file)), options)) for (const { ids } of encodedOf(example)) yield ids;
}

/** @throws UsageError for tokens that the model does not have */
function assertTokens(samples: readonly Int32Array[], vocabSize: number, file: string): void {
  for (const ids of samples) {
    const unknown = ids.find((id) => id >= vocabSize);
    if (unknown === undefined) continue;
    throw new UsageError(
      `${file}: the tokenizer makes a token ${unknown}, and the model has ${vocabSize}`,
      "the tokenizer is of another model: the model's own tokenizer.json belongs beside its config.json",
    );
  }
}

/** @throws CapabilityError kind `unsupported-model` */
function assertBlockwise(
  model: { readonly config: { readonly modelType: string } } & Partial<BlockwiseModel>,
  base: string,
): BlockwiseModel {
  if (model.runBlock) return model as BlockwiseModel;
  throw new CapabilityError(`${base}: calibration goes block by block, which is not written for models of type ${model.config.modelType}`, {
    kind: "unsupported-model",
    file: base,
    hint: "the Llama family is; without --calibration, weights are rounded to the nearest",
  });
}
