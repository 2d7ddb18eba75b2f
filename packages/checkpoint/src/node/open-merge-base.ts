import { type GgufFile } from "@weft/io-gguf";
import { openGgufPath } from "@weft/io-gguf/node";
import type { WeightSource } from "@weft/io-safetensors";
import type { ModelConfig } from "../changes/tied.js";
import { type ConfigEdit, editConfig } from "../plan/model-config.js";
import type { ValueBase } from "../quantize/value-base.js";
import type { PeftState } from "../source/peft-state.js";
import type { FileSet } from "./file-set.js";
import { localPath, openBase } from "./open-input.js";
import { openValueBase, viewGguf } from "./quantize/open-value-base.js";
import { ggufSideFiles } from "./quantize/gguf-side-files.js";
import { folderOf, readModelConfig, type SideFile, sideFiles } from "./side-files.js";

/** What adapters are merged into. */
export interface MergeBase {
  readonly checkpoint: WeightSource;
  /** An adapter that was saved in it. */
  readonly state: PeftState | undefined;
  /** Its config.json, or what that of a GGUF file would be. */
  readonly model: ModelConfig | undefined;
  /** As values, where something in it is quantised. */
  readonly values: ValueBase | undefined;
  /** The file, of a GGUF file. */
  readonly gguf: GgufFile | undefined;
  /** Files that are read. */
  readonly files: readonly string[];
  /** Files beside the weights of a folder. @param tokenizer folder of an adapter whose tokenizer goes along */
  side(edit: ConfigEdit, tokenizer: string | undefined): SideFile[];
}

/** True for a path that names a GGUF file. */
export const isGgufPath = (path: string): boolean => path.endsWith(".gguf");

/** Opens a base; only headers are read, and what tells how weights are quantised. @throws as `openBase`, `openGgufPath` */
export async function openMergeBase(named: string, files: FileSet): Promise<MergeBase> {
  const path = localPath(named);
  if (isGgufPath(path)) return openGgufBase(path, files);
  const { base: checkpoint, state } = await openBase(path);
  try {
    const folder = folderOf(checkpoint.location);
    const model = readModelConfig(folder);
    return {
      checkpoint,
      state,
      model,
      values: await openValueBase(checkpoint, model, files),
      gguf: undefined,
      files: [...checkpoint.names()].map((name) => checkpoint.info(name).file),
      side: (edit, tokenizer) => sideFiles(folder, edit, tokenizer),
    };
  } catch (error) {
    await checkpoint.close();
    throw error;
  }
}

async function openGgufBase(path: string, files: FileSet): Promise<MergeBase> {
  const gguf = await openGgufPath(path);
  try {
    const values = viewGguf(gguf, files);
    const side = await ggufSideFiles(gguf, path);
    return {
      checkpoint: values.weights,
      state: undefined,
      model: side.model,
      values,
      gguf,
      files: [...gguf.tensors.values()].map(({ file }) => file),
      side: (edit, tokenizer) => [
        ...side
          .files(edit.dtype)
          .map((file) => (file.name === "config.json" ? { ...file, text: editConfig(file.text!, edit, path) } : file)),
        ...(tokenizer === undefined ? [] : sideFiles(tokenizer, edit, tokenizer).filter(({ name }) => name.startsWith("tokenizer"))),
      ],
    };
  } catch (error) {
    await gguf.close();
    throw error;
  }
}
