import { Command } from "@commander-js/extra-typings";
import { examples } from "./examples.js";
import { contextLength } from "./model-options.js";
import type { Runner } from "./runner.js";

export const modelsCommand = (run: Runner) =>
  new Command("models")
    .description("list known models, with the memory that they take; or say what one takes; or verify those in the cache")
    .argument(
      "[names...]",
      "a known model or a folder with a config.json; or verify, and which repositories of the cache (default: all known ones)",
    )
    .addOption(contextLength().default(2048))
    .addHelpText(
      "after",
      examples(
        ["what runs here, and what can be fine-tuned", "weft models"],
        ["memory of one by format, to run and to train", "weft models SmolLM2-135M-Instruct"],
        ["whether the files in the cache are what was fetched", "weft models verify"],
      ),
    )
    .action(run(async () => (await import("../commands/models.js")).models));
