import { Command, Option } from "@commander-js/extra-typings";
import { examples } from "./examples.js";
import type { Runner } from "./runner.js";

export const tokenizeCommand = (run: Runner) =>
  new Command("tokenize")
    .description("show how a model's tokenizer takes a text apart: ids, tokens, where each stands")
    .addOption(new Option("-m, --model <path>", "model: folder, GGUF file, or hf:user/repo").makeOptionMandatory())
    .argument("[text]", "the text (default: stdin)")
    .option("--no-special-tokens", "without the tokens that the tokenizer puts around a text")
    .option("--ids", "the ids alone")
    .addHelpText("after", examples(["each token in a colour, then a table", 'weft tokenize -m model/ "How long is this?"']))
    .action(run(async () => (await import("../commands/tokenize.js")).tokenize));
