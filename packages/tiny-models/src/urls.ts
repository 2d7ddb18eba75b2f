/** Where the files of a model lie: written out, so that bundlers find them and take them along. */
export interface ModelUrls {
  readonly config: URL;
  readonly weights: URL;
  readonly tokenizer: URL;
  readonly generationConfig: URL;
}

/** Names of the models. */
export type TinyModelName = "llama" | "mamba" | "rwkv";
/** Names of the texts. */
export type TinyTextName = "romeo-and-juliet" | "romeo-and-juliet-act-5";

/** The models, by name. */
export const MODELS: { readonly [name in TinyModelName]: ModelUrls } = {
  llama: {
    config: new URL("../models/llama/config.json", import.meta.url),
    weights: new URL("../models/llama/model.safetensors", import.meta.url),
    tokenizer: new URL("../models/llama/tokenizer.json", import.meta.url),
    generationConfig: new URL("../models/llama/generation_config.json", import.meta.url),
  },
  mamba: {
    config: new URL("../models/mamba/config.json", import.meta.url),
    weights: new URL("../models/mamba/model.safetensors", import.meta.url),
    tokenizer: new URL("../models/mamba/tokenizer.json", import.meta.url),
    generationConfig: new URL("../models/mamba/generation_config.json", import.meta.url),
  },
  rwkv: {
    config: new URL("../models/rwkv/config.json", import.meta.url),
    weights: new URL("../models/rwkv/model.safetensors", import.meta.url),
    tokenizer: new URL("../models/rwkv/tokenizer.json", import.meta.url),
    generationConfig: new URL("../models/rwkv/generation_config.json", import.meta.url),
  },
};

/** The texts, by name. */
export const TEXTS: { readonly [name in TinyTextName]: URL } = {
  "romeo-and-juliet": new URL("../texts/romeo-and-juliet.txt", import.meta.url),
  "romeo-and-juliet-act-5": new URL("../texts/romeo-and-juliet-act-5.txt", import.meta.url),
};
