import { Command } from "@commander-js/extra-typings";
import { examples } from "./examples.js";
import type { Runner } from "./runner.js";

export const pullCommand = (run: Runner) =>
  new Command("pull")
    .description("fetch a model or an adapter of the hub into the cache of huggingface_hub")
    .argument("<repo>", "user/repo[@revision], or the name of a known model (weft models)")
    .argument("[files...]", "these files alone (default: what running it takes)")
    .addHelpText(
      "after",
      examples(
        ["a model, for every command that takes -m hf:HuggingFaceTB/SmolLM2-135M-Instruct", "weft pull SmolLM2-135M-Instruct"],
        ["an adapter, for -a hf:user/my-lora", "weft pull user/my-lora"],
        ["one GGUF file of several", "weft pull user/repo-gguf model-q4_k_m.gguf"],
      ),
    )
    .action(run(async () => (await import("../commands/pull.js")).pull));
