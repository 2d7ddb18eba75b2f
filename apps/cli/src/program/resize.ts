import { Command, Option } from "@commander-js/extra-typings";
import { examples } from "./examples.js";
import { adapterName, allowLoss, alpha, factorDType, from, namesFrom, outPath, to } from "./options.js";
import type { Runner } from "./runner.js";
import { positive, rank, share } from "./values.js";

export const resizeCommand = (run: Runner) =>
  new Command("resize")
    .description("write an adapter at lower ranks, by kohya's rules")
    .argument("<in>", "adapter: folder or file, in any dialect")
    .addOption(outPath())
    .addOption(
      new Option("--rank <n>", "rank of every module; with one of the rules below, the largest").argParser(rank).makeOptionMandatory(),
    )
    .addOption(new Option("--conv-rank <n>", "the same for kernels of more than one place").argParser(rank))
    .addOption(new Option("--sv-ratio <ratio>", "drop singular values below the largest divided by this").argParser(positive))
    .addOption(new Option("--sv-fro <share>", "keep this share of ‖ΔW‖").argParser(share))
    .addOption(new Option("--sv-cumulative <share>", "keep this share of the sum of singular values").argParser(share))
    .addOption(from())
    .addOption(alpha())
    .addOption(adapterName())
    .addOption(to())
    .addOption(namesFrom())
    .addOption(factorDType())
    .addOption(allowLoss())
    .addHelpText(
      "after",
      examples(
        ["rank 8 everywhere", "weft resize style.safetensors --rank 8 -o small.safetensors"],
        ["what keeps 90 % of every change, at most rank 32", "weft resize my-lora/ --rank 32 --sv-fro 0.9 -o small/"],
      ),
    )
    .action(run(async () => (await import("../commands/resize.js")).resize));
