import type { EncoderTask } from "@weft/datasets";
import { localModel, openGenerationFiles } from "@weft/generation/node";
import { type BertHead, type CausalLM, withNewHead } from "@weft/models";
import { loadPretrainedEncoder } from "@weft/models/node";
import type { Context } from "../context.js";
import { openDevice } from "../models/open-device.js";
import type { OpenedModel } from "../models/open-model.js";
import { type EncoderData, readEncoderData } from "./encoder-data.js";
import type { TrainConfig } from "./train-config.js";

/** The head that a task needs; none where states themselves are compared. */
const HEADS: { readonly [task in EncoderTask]: BertHead | undefined } = {
  classification: "sequence",
  regression: "sequence",
  token_classification: "token",
  contrastive: undefined,
  cosine_similarity: undefined,
};

/** PEFT's name of what an adapter is for. */
export const taskTypeOf = (task: EncoderTask): string =>
  ({ sequence: "SEQ_CLS", token: "TOKEN_CLS", none: "FEATURE_EXTRACTION" })[HEADS[task] ?? "none"];

/** An encoder with the head of its task, new and of the data's classes, and the data. @throws what `loadPretrainedEncoder` and `readEncoderData` throw */
export async function openEncoder(
  config: TrainConfig,
  task: EncoderTask,
  context: Context,
): Promise<{ readonly opened: OpenedModel; readonly data: EncoderData }> {
  const place = await localModel(config.modelNameOrPath, { signal: context.signal, offline: config.offline });
  const files = await openGenerationFiles(place);
  const device = await openDevice(config.device, context);
  try {
    const encoder = await loadPretrainedEncoder(place, { device, signal: context.signal });
    const { maxPositions, vocabSize } = encoder.config;
    const data = await readEncoderData({ ...config, maxLength: Math.min(config.maxLength, maxPositions) }, task, files, vocabSize);
    const head = HEADS[task];
    const base = head ? withNewHead(encoder, { head, numLabels: Math.max(1, data.classes.length), seed: config.seed }) : encoder;
    // What trains is any model with hooks; a language model is one.
    const model = base as unknown as CausalLM;
    return { opened: { device, base: model, model, files }, data };
  } catch (error) {
    device.dispose();
    throw error;
  }
}
