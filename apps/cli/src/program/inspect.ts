import { Command } from "@commander-js/extra-typings";
import { examples } from "./examples.js";
import { adapterName } from "./options.js";
import type { Runner } from "./runner.js";

export const inspectCommand = (run: Runner) =>
  new Command("inspect")
    .description("say what a checkpoint or an adapter holds")
    .argument("<path>", "safetensors file, index, adapter_config.json, a folder with one of them, or hf:user/repo")
    .option("--hash", "SHA-256 of every tensor's bytes")
    .option("--stats", "norms, and values that are not finite (adapters: norm of the weight change per module)")
    .option("--parts", "the tensors that quantised weights lie in, in place of the weights")
    .option("--tensors <glob>", "only tensors with such names, each in a line of its own")
    .addOption(adapterName())
    .addHelpText(
      "after",
      examples(
        ["method, rank, targets and tensors of an adapter", "weft inspect my-lora/"],
        ["norms of some tensors", 'weft inspect style.safetensors --stats --tensors "*attn*"'],
        ["names, dtypes, shapes and hashes for another program", "weft inspect model/ --hash --json"],
      ),
    )
    .action(run(async () => (await import("../commands/inspect.js")).inspect));
