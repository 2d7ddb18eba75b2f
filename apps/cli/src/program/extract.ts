import { Command, Option } from "@commander-js/extra-typings";
import { examples } from "./examples.js";
import { allowLoss, baseName, factorDType, outPath, to } from "./options.js";
import type { Runner } from "./runner.js";
import { list, rank, share, size } from "./values.js";

export const extractCommand = (run: Runner) =>
  new Command("extract")
    .description("write a fine-tuned checkpoint as an adapter: the SVD of how its weights differ from the base's")
    .argument("<tuned>", "checkpoint: folder, index or file")
    .addOption(new Option("--base <path>", "the checkpoint that was tuned").makeOptionMandatory())
    .addOption(outPath())
    .addOption(new Option("--rank <n>", "rank of every layer; with one of the rules below, the largest").argParser(rank))
    .addOption(new Option("--conv-rank <n>", "rank of convolutions with kernels of more than one place").argParser(rank))
    .addOption(new Option("--auto-rank <share>", "for each layer the least rank that keeps this share of ‖ΔW‖²").argParser(share))
    .addOption(new Option("--threshold <value>", "for each layer as many as there are singular values above this").argParser(size))
    .addOption(new Option("--ratio <share>", "… above this share of the largest").argParser(share))
    .addOption(
      new Option("--quantile <share>", "… whose sum stays below this share of the sum of all (slow: needs all of them)").argParser(share),
    )
    .addOption(new Option("--clamp <quantile>", "clamp the factors to ± this quantile of their values, as kohya does").argParser(share))
    .option("--small-conv", "Tucker cores for kernels, as LyCORIS: small, and lossy")
    .option("--whole", "write ΔW itself where the rank would reach half of the outputs, as LyCORIS (kohya, lycoris)")
    .addOption(new Option("--min-change <value>", "leave out weights of which no element changed by more").argParser(size).default(0))
    .addOption(new Option("--target <names>", "only these modules: last parts of their paths, with commas").argParser(list))
    .addOption(to().default("peft"))
    .addOption(factorDType().default("f32"))
    .addOption(baseName())
    .addOption(allowLoss())
    .option("--report <file>", "JSON with rank and residual of every module")
    .addHelpText(
      "after",
      examples(
        ["rank 32 everywhere", "weft extract tuned/ --base model/ --rank 32 -o lora/"],
        ["as much rank as each layer needs, at most 64", "weft extract tuned/ --base model/ --auto-rank 0.95 --rank 64 -o lora/"],
      ),
    )
    .action(run(async () => (await import("../commands/extract.js")).extract));
