import { Command, Option } from "@commander-js/extra-typings";
import { examples } from "./examples.js";
import { device } from "./model-options.js";
import type { Runner } from "./runner.js";
import { port } from "./values.js";

export const studioCommand = (run: Runner) =>
  new Command("studio")
    .description("open the Training Studio: a page, on this machine only, whose training runs here and goes on when its tab is closed")
    .addOption(new Option("--port <n>", "0 takes a free one").argParser(port).default(5180))
    .addOption(new Option("--runs <folder>", "where runs and their checkpoints are kept").default("weft-runs"))
    .addOption(device())
    .addHelpText(
      "after",
      examples(["a page that trains", "weft studio"], ["runs of a project, on any free port", "weft studio --runs project/runs --port 0"]),
    )
    .action(run(async () => (await import("../commands/studio.js")).studio));
