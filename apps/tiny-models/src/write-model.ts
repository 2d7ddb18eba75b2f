import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fromCoreDType } from "@weft/io-safetensors";
import { writeFileAtomic, writeSafetensors } from "@weft/io-safetensors/node";
import type { ConfigJson, Weights } from "@weft/models";
import { encode } from "@weft/tensor-core";
import type { Tokenizer } from "@weft/tokenizers";
import { END } from "./tokenizer.js";

/** Writes a folder as transformers does: config, weights, tokenizer, and how it generates. */
export async function writeModel(folder: string, config: ConfigJson, weights: Weights, tokenizer: Tokenizer): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const json = (name: string, value: unknown): Promise<void> =>
    writeFileAtomic(join(folder, name), new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`));
  await json("config.json", config);
  await json("generation_config.json", { bos_token_id: 0, eos_token_id: 0, do_sample: true, temperature: 0.7, top_p: 0.9 });
  await json("tokenizer_config.json", {
    tokenizer_class: "PreTrainedTokenizerFast",
    bos_token: END,
    eos_token: END,
    clean_up_tokenization_spaces: false,
  });
  await json("tokenizer.json", tokenizer.toJson());
  const tensors = await Promise.all(
    [...weights].map(async ([name, t]) => ({
      name,
      dtype: fromCoreDType(t.dtype),
      shape: t.shape,
      data: encode((await t.data()) as Float32Array, t.dtype),
    })),
  );
  await writeSafetensors(folder, tensors);
}
