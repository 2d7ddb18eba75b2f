import { Command } from "@commander-js/extra-typings";
import { examples } from "./examples.js";
import {
  adapterName,
  adapters,
  alpha,
  allowNonfinite,
  maxMemory,
  maxShardSize,
  noAutocastAdapterDtype,
  outFolder,
  report,
  weightDType,
} from "./options.js";
import type { Runner } from "./runner.js";

export const unmergeCommand = (run: Runner) =>
  new Command("unmerge")
    .description("take an adapter out of a merged checkpoint again (not exact in low precision)")
    .argument("<merged>", "checkpoint: folder, index or file")
    .addOption(adapters())
    .addOption(alpha())
    .addOption(adapterName())
    .addOption(outFolder())
    .addOption(weightDType())
    .addOption(noAutocastAdapterDtype())
    .addOption(maxMemory())
    .addOption(maxShardSize())
    .addOption(allowNonfinite())
    .addOption(report())
    .addHelpText("after", examples(["the adapter and the factor of the merge", "weft unmerge merged/ -a my-lora/:0.8 -o model-again/"]))
    .action(run(async () => (await import("../commands/merge.js")).unmerge));
