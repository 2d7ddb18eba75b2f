import { encodedOf, trainedCount, readRows } from "@weft/datasets";
import { DEFAULT_SETTINGS, encodeRows, type FineTuningSettings, type TextFiles } from "@weft/fine-tuning";
import { generationDefaults } from "@weft/generation";
import { type CausalLM, loadCausalLM } from "@weft/models";
import { bytesPerElement, type Device } from "@weft/tensor-core";
import { openTinyModel, openTinyText } from "@weft/tiny-models";
import type { DataDocument, ModelDocument, OpenedDocument, Source } from "../protocol/values.js";

/** A model that can be trained and asked. */
export interface OpenModel {
  readonly document: ModelDocument;
  readonly base: CausalLM;
  readonly files: TextFiles;
}

/** Data to train on, as text; tokens depend on model and settings. */
export interface OpenData {
  readonly document: DataDocument;
  readonly name: string;
  readonly text: string;
}

/** What has been opened: models by id, and data by that of the model that they came with. */
export class Documents {
  private readonly models = new Map<string, OpenModel>();
  private readonly data = new Map<string, OpenData>();
  private readonly tinyHome: { readonly home?: URL };

  /** @param tinyHome as of the engine's host */
  constructor(tinyHome: URL | undefined) {
    this.tinyHome = tinyHome ? { home: tinyHome } : {};
  }

  list(): OpenedDocument[] {
    return [...this.models.values(), ...this.data.values()].map(({ document }) => document);
  }

  /** Opens a model, and the text that it is to learn from. Opened twice, it is the same. */
  async open(
    { tiny }: Source,
    device: Device,
  ): Promise<{ readonly model: OpenModel; readonly data: OpenData; readonly all: OpenedDocument[] }> {
    const id = `tiny-${tiny}`;
    if (!this.models.has(id)) {
      const [model, data] = await openTiny(tiny, id, device, this.tinyHome);
      this.models.set(id, model);
      this.data.set(id, data);
    }
    return { model: this.models.get(id)!, data: this.data.get(id)!, all: this.list() };
  }
}

const TINY_TEXT = "romeo-and-juliet";

async function openTiny(name: "llama", id: string, device: Device, home: { readonly home?: URL }): Promise<[OpenModel, OpenData]> {
  const [{ config, weights, tokenizer, generationConfig }, text] = await Promise.all([
    openTinyModel(name, home),
    openTinyText(TINY_TEXT, home),
  ]);
  const base = await loadCausalLM(config, weights, { device });
  await weights.close();
  const files = { tokenizer, chatTemplate: undefined, defaults: generationDefaults(generationConfig) };
  const all = [...base.weights.values()];
  const { modelType, layers, hiddenSize, vocabSize } = base.config;
  const document: ModelDocument = {
    kind: "model",
    id,
    name: `Tiny ${modelType}`,
    modelType,
    parameters: all.reduce((sum, t) => sum + t.size, 0),
    bytes: all.reduce((sum, t) => sum + t.size * bytesPerElement(t.dtype), 0),
    layers,
    width: hiddenSize,
    vocabulary: vocabSize,
  };
  const model = { document, base, files };
  return [model, await openText(TINY_TEXT, text, model)];
}

/** Examples of a text for a model. @throws as `encodeRows` */
export const examplesOf = ({ name, text }: Pick<OpenData, "name" | "text">, { base, files }: OpenModel, settings: FineTuningSettings) =>
  encodeRows(readRows(text, { format: "text", name }), name, settings, files, base.config.vocabSize);

async function openText(id: string, text: string, model: OpenModel): Promise<OpenData> {
  const name = `${id}.txt`;
  const encoded = (await examplesOf({ name, text }, model, DEFAULT_SETTINGS)).flatMap(encodedOf);
  const document: DataDocument = {
    kind: "data",
    id,
    name,
    bytes: text.length,
    examples: encoded.length,
    tokens: encoded.reduce((sum, { ids }) => sum + ids.length, 0),
    trained: encoded.reduce((sum, one) => sum + trainedCount(one), 0),
  };
  return { document, name, text };
}
