import { Command, Option } from "@commander-js/extra-typings";
import { examples } from "./examples.js";
import { device, model } from "./model-options.js";
import type { Runner } from "./runner.js";
import { count } from "./values.js";

export const embedCommand = (run: Runner) =>
  new Command("embed")
    .description("turn texts into vectors, with a sentence encoder or a language model")
    .addOption(model())
    .argument("[texts...]", "the texts (default: lines of stdin)")
    .addOption(
      new Option("--pooling <kind>", "of the tokens' states (default: as the model's files say)").choices(["mean", "cls", "last", "max"]),
    )
    .option("--no-normalize", "leave the vectors as long as they are")
    .addOption(new Option("--max-length <n>", "cut longer texts after so many tokens").argParser(count))
    .option("--similarity", "how alike each two texts are (cosine), instead of the vectors")
    .addOption(device())
    .addHelpText(
      "after",
      examples(
        ["a vector a line", "weft embed -m all-MiniLM-L6-v2/ < texts.txt > vectors.jsonl"],
        ["which texts are alike", 'weft embed -m all-MiniLM-L6-v2/ --similarity "a cat" "a kitten" "a car"'],
      ),
    )
    .action(run(async () => (await import("../commands/embed.js")).embed));
