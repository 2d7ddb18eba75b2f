export { openTinyModel, openTinyText, TINY_MODELS, TINY_TEXTS, type TinyModel, type TinyOptions } from "./open-tiny-model.js";
export type { TinyModelName, TinyTextName } from "./urls.js";
