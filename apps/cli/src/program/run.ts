import { Command, Option } from "@commander-js/extra-typings";
import { examples } from "./examples.js";
import { maxMemory, outFolder, report } from "./options.js";
import type { Runner } from "./runner.js";
import { natural } from "./values.js";

export const runCommand = (run: Runner) =>
  new Command("run")
    .description("compute one of several shares of a plan, or make the checkpoint of all of them")
    .argument("<plan>", "file that plan wrote")
    .addOption(outFolder())
    .addOption(new Option("--index <n>", "which share, from 0").argParser(natural))
    .addOption(new Option("--of <n>", "number of shares").argParser(natural))
    .option("--finish", "make the checkpoint, when all shares are done")
    .addOption(maxMemory())
    .addOption(report())
    .addHelpText(
      "after",
      examples(
        ["the second of four; what is done already is left", "weft run plan.json --index 1 --of 4 -o merged/"],
        ["when all four are done", "weft run plan.json --finish -o merged/"],
      ),
    )
    .action(run(async () => (await import("../commands/run.js")).run));
