import { Command } from "@commander-js/extra-typings";
import { examples } from "./examples.js";
import {
  adapterName,
  allowNonfinite,
  alpha,
  maxShardSize,
  noAutocastAdapterDtype,
  noUntie,
  outFile,
  ownOrAdapters,
  safe,
  weightDType,
} from "./options.js";
import type { Runner } from "./runner.js";

export const planCommand = (run: Runner) =>
  new Command("plan")
    .description("plan a merge for several processes or machines: units, and the hashes of all inputs")
    .argument("<base>", "checkpoint: folder, index, file, or hf:user/repo in the hub's cache")
    .addOption(ownOrAdapters())
    .addOption(alpha())
    .addOption(adapterName())
    .addOption(outFile())
    .addOption(weightDType())
    .addOption(safe())
    .addOption(noAutocastAdapterDtype())
    .addOption(maxShardSize())
    .addOption(noUntie())
    .addOption(allowNonfinite())
    .addHelpText(
      "after",
      examples([
        "units of at most 4 GB, on a disk that all machines have",
        "weft plan model/ -a my-lora/ --max-shard-size 4GB -o plan.json",
      ]),
    )
    .action(run(async () => (await import("../commands/plan.js")).plan));
