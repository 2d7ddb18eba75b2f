import { encodedOf, type EncodedExample } from "@weft/datasets";
import type { RecordedSettings } from "@weft/training";
import type { FineTuningSettings } from "./settings.js";

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** SHA-256 of the ids and labels of all examples, in their order. */
export async function digestOfExamples(examples: readonly EncodedExample[]): Promise<string> {
  const parts = examples.flatMap(encodedOf).flatMap(({ ids, labels }) => [ids, labels]);
  const bytes = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const { buffer, byteOffset, byteLength } of parts) {
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += byteLength;
  }
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

/**
 * What decides the values of a training besides the settings of `train`: a checkpoint records it.
 * @param base name or path of the model
 * @param digest of {@link digestOfExamples}
 */
export function recordedSettings(settings: Omit<FineTuningSettings, "objective">, base: string, digest: string): RecordedSettings {
  const { beta, peft, perDeviceTrainBatchSize, maxLength, packing = false, groupByLength = false, mask, validationShare } = settings;
  const ofData = { perDeviceTrainBatchSize, maxLength, packing, groupByLength, mask, validationShare, examples: digest };
  return { modelNameOrPath: base, beta, peft, ...ofData };
}
