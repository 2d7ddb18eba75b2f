import { Command, Option } from "@commander-js/extra-typings";
import { COMBINATION_TYPES } from "@weft/convert/names";
import { examples } from "./examples.js";
import { adapterName, adapters, allowLoss, alpha, namesFrom, outPath, to } from "./options.js";
import type { Runner } from "./runner.js";
import { blockWeight, natural, rank, share } from "./values.js";

export const combineCommand = (run: Runner) =>
  new Command("combine")
    .description("write several adapters as one, without their base")
    .addOption(adapters())
    .addOption(alpha())
    .addOption(adapterName())
    .addOption(outPath())
    .addOption(
      new Option("--combine <type>", "exact: the sum itself, ranks added up; the others as PEFT's add_weighted_adapter")
        .choices(COMBINATION_TYPES)
        .default("exact"),
    )
    .addOption(new Option("--rank <n>", "rank of the result (exact and the svd types)").argParser(rank))
    .addOption(new Option("--density <share>", "share of entries that ties, dare and magnitude_prune keep").argParser(share))
    .addOption(new Option("--sign <method>", "how ties elects signs").choices(["total", "frequency"]))
    .addOption(new Option("--clamp <quantile>", "clamp the factors of an svd type to ± this quantile of their values").argParser(share))
    .addOption(new Option("--seed <n>", "seed of dare's random masks").argParser(natural))
    .addOption(
      new Option("--block <part=weight>", "a further factor for modules with this in their path: layers.3=0.5 (repeat)").argParser(
        blockWeight,
      ),
    )
    .addOption(to())
    .addOption(namesFrom())
    .addOption(allowLoss())
    .addHelpText(
      "after",
      examples(
        ["the exact sum, ranks added up", "weft combine -a chat/:0.7 -a sql/:0.3 -o both/"],
        ["TIES at rank 16", "weft combine -a chat/ -a sql/ --combine ties_svd --rank 16 --density 0.5 -o both/"],
      ),
    )
    .action(run(async () => (await import("../commands/combine.js")).combine));
