import { downloadModel, type DownloadOptions } from "@weft/io-safetensors/node";
import type { LongCallOptions } from "@weft/tensor-core";

/** What generation and embedding read beside the weights, as far as a repository has it. */
const FILES = [
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "chat_template.jinja",
  "sentence_bert_config.json",
  "1_Pooling/config.json",
];

/**
 * Where a model is on this machine: a path as it is; a repository of the hub, `hf:user/repo[@revision]`, is fetched into the cache of huggingface_hub first.
 * @throws what `downloadModel` throws
 */
export async function localModel(
  path: string,
  { signal, onProgress, offline }: LongCallOptions & Pick<DownloadOptions, "offline"> = {},
): Promise<string> {
  const options = { offline, ...(signal && { signal }), ...(onProgress && { onProgress }) };
  return path.startsWith("hf:") ? downloadModel(path, FILES, options) : path;
}
