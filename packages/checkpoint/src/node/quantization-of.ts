import { existsSync } from "node:fs";
import { findQuantization, type Quantization, type WeightSource } from "@weft/io-safetensors";
import type { MatchReport } from "@weft/adapter-files";
import { CapabilityError, WeftError } from "@weft/tensor-core";
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

/** The weights of a base that an adapter is for and that are quantised, with their formats. */
export function quantizedTargets(
  { matched, replaced, tokens, missing, mismatched }: MatchReport,
  { weights }: Quantization,
): [path: string, format: string][] {
  if (weights.size === 0) return [];
  const names = [
    ...matched.map(({ weight }) => weight),
    ...tokens.map(({ weight }) => weight),
    ...replaced.map(({ name }) => name).filter((name) => name.endsWith(".weight")),
    ...missing.map(({ wanted }) => wanted),
    ...mismatched.map(({ path }) => path),
  ];
  const paths = new Set(names.flatMap((name) => [name, name.slice(0, name.lastIndexOf("."))]));
  return [...paths].flatMap((path) => (weights.has(path) ? [[path, weights.get(path)!] as [string, string]] : []));
}

/** Refuses an adapter for weights that are quantised. @throws CapabilityError kind `quantized-base` */
export function refuseQuantized(report: MatchReport, quantization: Quantization, adapter: string): void {
  const [first, ...others] = quantizedTargets(report, quantization);
  if (!first) return;
  const [path, format] = first;
  const more = others.length > 0 ? `, as ${others.length} more that the adapter is for` : "";
  throw new CapabilityError(
    `${path}: the base holds this weight quantised (${format})${more}; adapters are merged into floating-point weights`,
    {
      kind: "quantized-base",
      tensor: path,
      file: adapter,
      hint: "merge into the 16-bit base that was quantised, and quantise the result; or keep the adapter unmerged",
    },
  );
}
