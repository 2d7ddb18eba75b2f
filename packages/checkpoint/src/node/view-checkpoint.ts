import { findQuantization, type WeightSource } from "@weft/io-safetensors";
import type { WeftError } from "@weft/tensor-core";
import type { OpenedAdapter } from "@weft/adapter-files";
import { type BaseView, viewBase } from "../changes/view-base.js";
import { FileSet } from "./file-set.js";
import { openValueBase } from "./quantize/open-value-base.js";
import { ValueReader } from "./quantize/value-reader.js";
import { folderOf, readModelConfig } from "./side-files.js";

/** A checkpoint on this machine as adapters are matched to it, by the config.json beside it: quantised weights are their values, but for those in `unread`. @throws ConfigError kind `config-json` */
export async function viewCheckpoint(
  checkpoint: WeightSource,
  adapters: readonly OpenedAdapter[],
): Promise<BaseView & { readonly unread: ReadonlyMap<string, WeftError> }> {
  const files = new FileSet();
  let reader: ValueReader | undefined;
  try {
    const model = readModelConfig(folderOf(checkpoint.location));
    const values = await openValueBase(checkpoint, model, files);
    reader = new ValueReader(files, values?.values ?? new Map());
    const view = await viewBase(values?.weights ?? checkpoint, adapters, model, reader);
    return { ...view, quantization: findQuantization(checkpoint, model), unread: values?.unread ?? new Map() };
  } finally {
    await reader?.close();
    await files.close();
  }
}
