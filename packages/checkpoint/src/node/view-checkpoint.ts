import type { WeightSource } from "@weft/io-safetensors";
import type { OpenedAdapter } from "@weft/adapter-files";
import { type BaseView, viewBase } from "../changes/view-base.js";
import { FileSet } from "./file-set.js";
import { folderOf, readModelConfig } from "./side-files.js";

/** A checkpoint on this machine as adapters are matched to it, by the config.json beside it. @throws ConfigError kind `config-json` */
export async function viewCheckpoint(checkpoint: WeightSource, adapters: readonly OpenedAdapter[]): Promise<BaseView> {
  const files = new FileSet();
  try {
    return await viewBase(checkpoint, adapters, readModelConfig(folderOf(checkpoint.location)), files);
  } finally {
    await files.close();
  }
}
