import { Command } from "@commander-js/extra-typings";
import { examples } from "./examples.js";
import type { Runner } from "./runner.js";

export const benchCommand = (run: Runner) =>
  new Command("bench")
    .description("measure products on this machine's GPU")
    .option("--tune", "find the best tiles for it first, and keep them for every program that uses weft")
    .addHelpText("after", examples(["find the best tiles, then measure", "weft bench --tune"]))
    .action(run(async () => (await import("../commands/bench.js")).bench));
