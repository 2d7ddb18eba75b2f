import { describeModel, type DescribedModel, type GgufMetadata, type GgufValue } from "@weft/io-gguf";
import type { ModelConfig } from "../changes/tied.js";
import type { GgufTargetName } from "../names.js";
import { fileTypeOf } from "./gguf-mixtures.js";

const u32 = (value: number): GgufValue => ({ type: "u32", value });
const text = (value: string): GgufValue => ({ type: "string", value });

/**
 * Metadata of a model without its tokenizer, and the tensors that belong to it.
 * @throws as `describeModel`
 */
export function modelMetadata(
  model: ModelConfig,
  file: string,
  { architecture, name, to }: { readonly architecture: string; readonly name: string; readonly to: GgufTargetName },
): { readonly metadata: GgufMetadata; readonly tensors: DescribedModel["tensors"] } {
  const { metadata, tensors } = describeModel(model, file);
  return {
    tensors,
    metadata: new Map<string, GgufValue>([
      ["general.architecture", text(architecture)],
      ["general.type", text("model")],
      ["general.name", text(name)],
      ...metadata,
      ["general.file_type", u32(fileTypeOf(to))],
      ["general.quantization_version", u32(2)],
    ]),
  };
}
