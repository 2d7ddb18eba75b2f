export { openTokenizer } from "./open-tokenizer.js";
