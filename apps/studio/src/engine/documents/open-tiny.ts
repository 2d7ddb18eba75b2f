import { generationDefaults } from "@weft/generation";
import { loadCausalLM } from "@weft/models";
import type { Device } from "@weft/tensor-core";
import { openTinyModel, openTinyText } from "@weft/tiny-models";
import { openData } from "./open-data.js";
import { describeModel } from "./open-model-files.js";
import type { OpenData, OpenModel } from "./opened.js";
import { storedTensors } from "./stored-tensors.js";

/** Ids of what comes with the studio. */
export const TINY_MODEL = "tiny-llama";
export const TINY_DATA = "romeo-and-juliet";

/** The tiny model and its text. */
export async function openTinyDocuments(device: Device, home: { readonly home?: URL }): Promise<[OpenModel, OpenData]> {
  const [{ config, weights, tokenizer, generationConfig }, text] = await Promise.all([
    openTinyModel("llama", home),
    openTinyText(TINY_DATA, home),
  ]);
  const base = await loadCausalLM(config, weights, { device });
  const tensors = storedTensors(weights);
  await weights.close();
  const files = { tokenizer, chatTemplate: undefined, defaults: generationDefaults(generationConfig) };
  const model = { document: describeModel(TINY_MODEL, `Tiny ${base.config.modelType}`, base), base, files, tensors };
  return [model, await openData(`${TINY_DATA}.txt`, new Blob([text]), "text", TINY_DATA)];
}
