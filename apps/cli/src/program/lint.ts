import { Command } from "@commander-js/extra-typings";
import { examples } from "./examples.js";
import { adapterName, alpha, from } from "./options.js";
import type { Runner } from "./runner.js";

export const lintCommand = (run: Runner) =>
  new Command("lint")
    .description("say what is wrong, wasted or a trap in an adapter, and what to do; exit code 4 if there is more than notes")
    .argument("<adapter>", "adapter: folder or file, in any dialect")
    .option("--base <path>", "checkpoint that it is to go with")
    .addOption(from())
    .addOption(alpha())
    .addOption(adapterName())
    .addHelpText("after", examples(["does it fit this model, and is anything odd about it?", "weft lint my-lora/ --base model/"]))
    .action(run(async () => (await import("../commands/lint.js")).lint));
