export { tinyModelFolder, tinyTextFile } from "./paths.js";
// Types that programs infer of it, under this entry as well: declarations can name them.
export type { TinyModelName, TinyTextName } from "../urls.js";
