import { Command, Option } from "@commander-js/extra-typings";
import { examples } from "./examples.js";
import type { Runner } from "./runner.js";
import { size } from "./values.js";

export const diffCommand = (run: Runner) =>
  new Command("diff")
    .description("compare two checkpoints or adapters; exit code 4 if they are unlike")
    .argument("<a>", "checkpoint or adapter: folder, index or file")
    .argument("<b>", "what it is compared with")
    .addOption(new Option("--atol <number>", "largest absolute difference of values that counts as equal").argParser(size).default(0))
    .option("--parts", "compare the tensors that quantised weights lie in, not their values")
    .option("--by-module", "one line per module instead of per tensor")
    .addHelpText(
      "after",
      examples(
        ["bit for bit", "weft diff model/ merged/"],
        ["which modules differ by more than a rounding", "weft diff model/ merged/ --atol 1e-6 --by-module"],
      ),
    )
    .action(run(async () => (await import("../commands/diff.js")).diff));
