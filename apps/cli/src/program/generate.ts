import { Command, Option } from "@commander-js/extra-typings";
import { examples } from "./examples.js";
import {
  activations,
  contextLength,
  device,
  maxNewTokens,
  minP,
  model,
  modelAdapters,
  repetitionPenalty,
  seed,
  stop,
  temperature,
  topK,
  topP,
} from "./model-options.js";
import type { Runner } from "./runner.js";

export const generateCommand = (run: Runner) =>
  new Command("generate")
    .description("go on with a text, or chat, with a model and any adapters; the answer streams to stdout")
    .addOption(model())
    .addOption(modelAdapters())
    .addOption(new Option("-p, --prompt <text>", "the text; - or none: from stdin"))
    .option("--chat", "write messages by the model's chat template: the prompt is a message; without one, a conversation")
    .addOption(new Option("--system <text>", "what the model is told before the conversation (with --chat)"))
    .addOption(maxNewTokens())
    .addOption(temperature())
    .addOption(topK())
    .addOption(topP())
    .addOption(minP())
    .addOption(repetitionPenalty())
    .addOption(seed())
    .addOption(stop())
    .addOption(new Option("--json-schema <file>", "the answer is JSON that this schema allows").conflicts("regex"))
    .addOption(new Option("--regex <pattern>", "the answer matches this pattern as a whole"))
    .option("--prompt-lookup", "guess from the text so far: faster where the answer repeats it, and the same answer")
    .option("--compare-base", "also the answer of the model without its adapters, side by side")
    .addOption(contextLength())
    .addOption(device())
    .addOption(activations())
    .addHelpText(
      "after",
      examples(
        ["a model with an adapter at four fifths of its strength", 'weft generate -m model/ -a lora/:0.8 -p "Once upon a time"'],
        ["a conversation; /help in it tells what there is", "weft generate -m model.gguf --chat"],
        ["JSON, for a program", 'weft generate -m model/ --chat -p "Name a colour." --json-schema colour.json --json'],
      ),
    )
    .action(run(async () => (await import("../commands/generate.js")).generate));
