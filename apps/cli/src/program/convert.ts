import { Command } from "@commander-js/extra-typings";
import { examples } from "./examples.js";
import { adapterName, allowLoss, alpha, from, namesFrom, outPath, to } from "./options.js";
import type { Runner } from "./runner.js";

export const convertCommand = (run: Runner) =>
  new Command("convert")
    .description("write an adapter in another program's key scheme, and prove that it changes the same weights by the same amounts")
    .argument("<in>", "adapter: folder or file, in any dialect")
    .addOption(to().makeOptionMandatory())
    .addOption(outPath())
    .addOption(namesFrom())
    .addOption(from())
    .addOption(alpha())
    .addOption(adapterName())
    .addOption(allowLoss())
    .option("--fold-alpha", "work alpha into the factors")
    .option("--no-verify", "do not rebuild the weight changes on both sides")
    .addHelpText(
      "after",
      examples(
        ["a kohya file as a PEFT adapter", "weft convert style.safetensors --to peft -o style/"],
        ["a PEFT adapter for ComfyUI", "weft convert my-lora/ --to comfyui -o my-lora.safetensors"],
        ["names settled by the model that it is for", "weft convert style.safetensors --to diffusers --base unet/ -o style-diffusers/"],
      ),
    )
    .action(run(async () => (await import("../commands/convert.js")).convert));
