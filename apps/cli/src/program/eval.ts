import { Command, Option } from "@commander-js/extra-typings";
import { examples } from "./examples.js";
import { activations, contextLength, device, model, modelAdapters } from "./model-options.js";
import type { Runner } from "./runner.js";
import { count } from "./values.js";

export const evalCommand = (run: Runner) =>
  new Command("eval")
    .description("measure a model with its adapters: perplexity of a text, or how many choices of a test it makes right")
    .addOption(model())
    .addOption(modelAdapters())
    .argument("<file>", 'text; or .jsonl of {"prompt", "choices": […], "answer": number of the right one}')
    .addOption(contextLength())
    .addOption(
      new Option("--stride <n>", "by how much the next piece of a long text goes on (default: half of the context)").argParser(count),
    )
    .option("--compare-base", "also the model without its adapters")
    .addOption(device())
    .addOption(activations())
    .addHelpText(
      "after",
      examples(
        ["what an adapter does to the perplexity of a text", "weft eval -m model/ -a lora/ --compare-base text.txt"],
        ["multiple choice", "weft eval -m model.gguf questions.jsonl"],
      ),
    )
    .action(run(async () => (await import("../commands/eval.js")).evaluateModel));
