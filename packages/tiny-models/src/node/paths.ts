import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { MODELS, TEXTS, type TinyModelName, type TinyTextName } from "../urls.js";

/** The folder of a model, laid out as transformers does: for `loadPretrained`, `loadTextGenerator`, the command line and Python. */
export const tinyModelFolder = (name: TinyModelName): string => dirname(fileURLToPath(MODELS[name].config));

/** The file of a text. */
export const tinyTextFile = (name: TinyTextName): string => fileURLToPath(TEXTS[name]);
