import { ggufGenerationFiles, readGenerationFiles } from "@weft/generation";
import { openGguf } from "@weft/io-gguf";
import { openSafetensors } from "@weft/io-safetensors";
import { type CausalLM, loadCausalLM } from "@weft/models";
import { bytesPerElement, type Device } from "@weft/tensor-core";
import type { ModelDocument } from "../../protocol/values.js";
import type { FileGroup } from "./group-files.js";
import { fingerprint } from "./fingerprint.js";
import type { OnReading, OpenModel, StoredTensor } from "./opened.js";
import { storedTensors } from "./stored-tensors.js";

type Group = Extract<FileGroup, { files: unknown }>;

/** What is shown of a model that lies on a device. */
export function describeModel(id: string, name: string, { config, weights }: CausalLM): ModelDocument {
  const all = [...weights.values()];
  const { modelType, layers, hiddenSize, vocabSize } = config;
  return {
    kind: "model",
    id,
    name,
    modelType,
    parameters: all.reduce((sum, t) => sum + t.size, 0),
    bytes: Math.round(all.reduce((sum, t) => sum + t.size * bytesPerElement(t.dtype), 0)),
    layers,
    width: hiddenSize,
    vocabulary: vocabSize,
  };
}

/** The model of a folder or of a GGUF file, read onto a device. @throws what the packages' readers throw, naming file and tensor */
export async function openModelFiles(group: Group, device: Device, onReading: OnReading): Promise<OpenModel> {
  const onProgress = (done: number, total: number): void => onReading(group.name, done, total);
  return group.kind === "gguf" ? ofGguf(group, device, onProgress) : ofFolder(group, device, onProgress);
}

async function ofFolder({ name, files }: Group, device: Device, onProgress: (done: number, total: number) => void): Promise<OpenModel> {
  // What only needs a moment comes first: a folder without a tokenizer is refused before its weights are read.
  const texts = await readGenerationFiles(files);
  const weights = [...files.values()].filter(
    ({ name: own }) => /\.safetensors(\.index\.json)?$/.test(own) && !/^(adapter_model|optimizer)\./.test(own),
  );
  const source = await openSafetensors(weights);
  const base = await loadCausalLM(await files.get("config.json")!.text(), source, { device, onProgress });
  return { document: describeModel(await fingerprint(files), name, base), base, files: texts, tensors: storedTensors(source) };
}

async function ofGguf({ name, files }: Group, device: Device, onProgress: (done: number, total: number) => void): Promise<OpenModel> {
  const gguf = await openGguf(files.get(name)!);
  const tensors: StoredTensor[] = [...gguf.tensors.values()].map((one) => ({
    name: one.name,
    dtype: one.type,
    shape: [...one.shape],
    bytes: one.bytes,
  }));
  const texts = ggufGenerationFiles(gguf.metadata, name);
  const base = await loadCausalLM(gguf, { device, onProgress });
  return { document: describeModel(await fingerprint(files), name, base), base, files: texts, tensors };
}
