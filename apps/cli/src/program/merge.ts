import { Command } from "@commander-js/extra-typings";
import { examples } from "./examples.js";
import {
  adapterName,
  alpha,
  allowLostChange,
  allowNonfinite,
  maxMemory,
  maxShardSize,
  noAutocastAdapterDtype,
  noUntie,
  outFolder,
  ownOrAdapters,
  report,
  residualRank,
  safe,
  weightDType,
} from "./options.js";
import type { Runner } from "./runner.js";

export const mergeCommand = (run: Runner) =>
  new Command("merge")
    .description("write a checkpoint with adapters merged in")
    .argument("<base>", "checkpoint: folder, index, file, or hf:user/repo in the hub's cache")
    .addOption(ownOrAdapters())
    .addOption(alpha())
    .addOption(adapterName())
    .addOption(outFolder())
    .addOption(weightDType())
    .addOption(safe())
    .addOption(noAutocastAdapterDtype())
    .addOption(maxMemory())
    .addOption(maxShardSize())
    .addOption(noUntie())
    .addOption(residualRank())
    .addOption(allowLostChange())
    .addOption(allowNonfinite())
    .addOption(report())
    .addHelpText(
      "after",
      examples(
        ["one adapter at its full strength", "weft merge model/ -a my-lora/ -o merged/"],
        ["two of them, weighed, stored as bf16", "weft merge model/ -a chat/:0.8 -a style.safetensors:0.3 -o merged/ --dtype bf16"],
        [
          "into a quantised checkpoint, as it is, and what that loses beside it",
          "weft merge model-nf4/ -a my-lora/ -o merged/ --residual-rank 16",
        ],
        ["what would be written, and with how much memory", "weft merge model/ -a my-lora/ -o merged/ --dry-run"],
      ),
    )
    .action(run(async () => (await import("../commands/merge.js")).merge));
