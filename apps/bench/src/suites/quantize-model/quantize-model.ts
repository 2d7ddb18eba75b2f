import type { Suite } from "../../context.js";
import { measureFiles } from "./files.js";
import { measurePerplexity } from "./perplexity.js";

export const quantizeModelSuite: Suite = {
  name: "quantize-model",
  summary:
    "weft quantize, file to file: time and memory for a model of 1.1 B parameters, against bitsandbytes; perplexity of SmolLM2 in each format",
  async run(context) {
    if ("files".includes(context.only)) await measureFiles(context);
    if ("perplexity".includes(context.only)) await measurePerplexity(context);
  },
};
