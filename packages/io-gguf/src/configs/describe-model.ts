import { CapabilityError } from "@weft/tensor-core";
import type { GgufMetadata } from "../values.js";
import { FAMILIES } from "./families.js";
import type { Family } from "./family.js";
import { Config, type OwnTensor } from "./read-config.js";
import type { Json } from "./read-metadata.js";

/** What a GGUF file says of a model, its tokenizer and its name aside. */
export interface DescribedModel {
  /** Under the architecture's prefix. */
  readonly metadata: GgufMetadata;
  /** Vectors that the checkpoint does not have: what rotary frequencies are divided by. */
  readonly tensors: readonly OwnTensor[];
}

function familyOf(config: Json, file: string): Family {
  const found = FAMILIES.find(({ modelTypes }) => modelTypes.includes(String(config["model_type"])));
  if (found) return found;
  throw new CapabilityError(
    `${file}: models of type ${JSON.stringify(config["model_type"])} are not written as GGUF; there are ${FAMILIES.flatMap(({ modelTypes }) => modelTypes).join(", ")}`,
    { kind: "unsupported-model", file, hint: "llama.cpp's convert_hf_to_gguf.py writes many others" },
  );
}

/** `general.architecture` of the GGUF files of a model of transformers. @param file what messages call `config` @throws CapabilityError kind `unsupported-model` */
export const architectureOfConfig = (config: Json, file: string): string => familyOf(config, file).architecture;

/**
 * The metadata of a model that is written as GGUF, from its `config.json`.
 * @param file what messages call `config`
 * @throws CapabilityError kind `unsupported-model` for models that are not written, or that differ from what programs that read GGUF files take for granted; ConfigError kind `config-schema`
 * @see llama.cpp `convert_hf_to_gguf.py` set_gguf_parameters
 */
export function describeModel(config: Json, file: string): DescribedModel {
  const family = familyOf(config, file);
  const { architecture } = family;
  const { entries, tensors = [] } = family.describe(new Config(config, file));
  return { metadata: new Map(entries.map(([key, value]) => [`${architecture}.${key}`, value])), tensors };
}
