export { localModel } from "./local-model.js";
export { type GenerationFiles, openGenerationFiles } from "./open-generation-files.js";
export { loadEmbedder, type LoadEmbedderOptions } from "./load-embedder.js";
export { loadTextGenerator, type LoadTextGeneratorOptions } from "./load-text-generator.js";
// Types that programs infer of it, under this entry as well: declarations can name them.
export type { Embedder } from "../embedder.js";
export type { TextGenerator } from "../text/text-generator.js";
