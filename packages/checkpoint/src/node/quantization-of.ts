import { existsSync } from "node:fs";
import { findQuantization, type Quantization, type WeightSource } from "@weft/io-safetensors";
import { WeftError } from "@weft/tensor-core";
import { folderOf, readModelConfig } from "./side-files.js";

/** What a checkpoint has quantised, by its tensors and the config.json beside them. */
export function quantizationOf(weights: WeightSource): Quantization {
  return findQuantization(weights, configBeside(weights.location));
}

/** It only helps to name formats, so one that cannot be read is as good as none. */
function configBeside(location: string): { readonly [field: string]: unknown } | undefined {
  try {
    return existsSync(location) ? readModelConfig(folderOf(location)) : undefined;
  } catch (error) {
    if (error instanceof WeftError) return undefined;
    throw error;
  }
}

/** "bitsandbytes NF4 ×224, MXFP4 ×48". */
export const describeQuantization = ({ formats }: Quantization): string =>
  [...formats].map(([name, count]) => `${name} ×${count}`).join(", ");
