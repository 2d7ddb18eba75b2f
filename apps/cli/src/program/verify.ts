import { Command, Option } from "@commander-js/extra-typings";
import { examples } from "./examples.js";
import { adapterName, alpha, maxMemory, noAutocastAdapterDtype, noUntie, safe, weightDType, ownOrAdapters } from "./options.js";
import type { Runner } from "./runner.js";

export const verifyCommand = (run: Runner) =>
  new Command("verify")
    .description("merge again in memory and compare with a merged checkpoint, bit for bit; exit code 4 if anything differs")
    .argument("<merged>", "checkpoint that merge wrote")
    .addOption(new Option("--base <path>", "the checkpoint that was merged into").makeOptionMandatory())
    .addOption(ownOrAdapters())
    .addOption(alpha())
    .addOption(adapterName())
    .addOption(weightDType())
    .addOption(safe())
    .addOption(noAutocastAdapterDtype())
    .addOption(maxMemory())
    .addOption(noUntie())
    .addHelpText("after", examples(["with the options of the merge", "weft verify merged/ --base model/ -a my-lora/:0.8"]))
    .action(run(async () => (await import("../commands/verify.js")).verify));
