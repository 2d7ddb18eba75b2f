import { Option } from "@commander-js/extra-typings";
import { ACTIVATIONS, DEVICES } from "../models/device-names.js";
import { collect, count, natural, positive, share, size } from "./values.js";

/** Options of the commands that run a model. */
export const model = () =>
  new Option(
    "-m, --model <path>",
    "model: folder, GGUF file, or hf:user/repo, which is fetched into the cache of huggingface_hub",
  ).makeOptionMandatory();
export const modelAdapters = () =>
  new Option("-a, --adapter <path[:scale]>", "adapter: folder or file, with a factor on its effect (repeat for several; they act in order)")
    .argParser(collect)
    .default([] as string[], "none");
export const device = () =>
  new Option("--device <name>", "where it runs; auto: a real GPU, else WebAssembly").choices(DEVICES).default("auto" as const);
export const activations = () =>
  new Option(
    "--activations <dtype>",
    "what products with packed weights (GGUF, NF4 …) read on processors; int8: rounded, up to 2 × as fast",
  )
    .choices(ACTIVATIONS)
    .default("f32" as const);
export const maxNewTokens = () =>
  new Option("-n, --max-new-tokens <n>", "tokens of the answer at most (default: 256, if there is room)").argParser(count);
export const temperature = () =>
  new Option(
    "-t, --temperature <value>",
    "0 takes the likeliest token; above, tokens are drawn (default: as the model's generation_config.json says)",
  ).argParser(size);
export const topK = () => new Option("--top-k <n>", "draw from the n likeliest tokens").argParser(natural);
export const topP = () =>
  new Option("--top-p <share>", "draw from the likeliest tokens that have this share of the probability").argParser(share);
export const minP = () => new Option("--min-p <share>", "leave out tokens less likely than this share of the likeliest").argParser(share);
export const repetitionPenalty = () =>
  new Option("--repetition-penalty <factor>", "above 1: tokens that were there are less likely").argParser(positive);
export const seed = () => new Option("--seed <n>", "of random choices: the same seed gives the same text").argParser(natural);
export const stop = () =>
  new Option("--stop <text>", "end the answer before this text (repeat for several)").argParser(collect).default([] as string[], "none");
export const contextLength = () =>
  new Option("--context <n>", "positions for prompt and answer (default: what the model was made for)").argParser(count);
