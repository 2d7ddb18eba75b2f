import type { GgufFile } from "../gguf-file.js";
import { FAMILIES } from "./families.js";
import { type Json, Metadata } from "./read-metadata.js";

/**
 * `config.json` of transformers for a GGUF file, its fields by name.
 * @throws CapabilityError kind `unsupported-model` for architectures, and scaled rotary embeddings, that it does not follow from the file for; FormatError kind `key`
 * @see llama.cpp `convert_hf_to_gguf.py`; transformers `integrations/ggml.py`
 */
export async function configOfGguf(file: GgufFile, dtype: string): Promise<Json> {
  const read = new Metadata(file);
  const family = FAMILIES.find(({ architecture }) => architecture === read.architecture);
  if (!family)
    throw read.refusal(
      `architecture ${read.architecture}, of which no config.json is written; there are ${FAMILIES.map(({ architecture }) => architecture).join(", ")}`,
    );
  const token = (key: string): Json => {
    const id = read.optional(`tokenizer.ggml.${key}_token_id`);
    return id === undefined ? {} : { [`${key === "padding" ? "pad" : key}_token_id`]: id };
  };
  const fields: Json = {
    architectures: [family.className],
    ...token("bos"),
    ...token("eos"),
    // Without the field, some classes of transformers take a number that may be beyond the vocabulary.
    pad_token_id: null,
    ...token("padding"),
    model_type: family.modelTypes[0],
    torch_dtype: dtype,
    ...(await family.config(read)),
  };
  return Object.fromEntries(Object.entries(fields).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
