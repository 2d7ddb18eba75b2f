import { Command, Option } from "@commander-js/extra-typings";
import { TARGET_NAMES } from "@weft/convert/names";
import { examples } from "./examples.js";
import { adapterName, allowLoss, alpha, from, maxMemory, maxShardSize, namesFrom, outPath } from "./options.js";
import type { Runner } from "./runner.js";

export const convertCommand = (run: Runner) =>
  new Command("convert")
    .description(
      "write an adapter in another program's key scheme, and prove that it changes the same weights by the same amounts; with --dtype, a checkpoint with its floats stored as this, or as a GGUF file where OUT ends in .gguf",
    )
    .argument("<in>", "adapter in any dialect, or with --dtype a checkpoint: folder or file, GGUF, too")
    .addOption(new Option("--to <dialect>", "dialect to write; gguf: a LoRA for llama.cpp").choices([...TARGET_NAMES, "gguf"] as const))
    .addOption(
      new Option("--dtype <dtype>", "store the floats of a checkpoint as this, quantised weights as their values").choices([
        "f32",
        "f16",
        "bf16",
      ] as const),
    )
    .addOption(maxMemory())
    .addOption(maxShardSize())
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
        ["a checkpoint in bf16, whatever it is quantised as", "weft convert model-nf4/ --dtype bf16 -o model-bf16/"],
        ["a GGUF file as a checkpoint of transformers, with its tokenizer", "weft convert model-q4_k_m.gguf --dtype bf16 -o model/"],
        ["a checkpoint as a GGUF file, its floats as they are stored", "weft convert model/ -o model.gguf"],
        ["a LoRA for llama.cpp", "weft convert my-lora/ --to gguf --base model.gguf -o my-lora.gguf"],
        ["names settled by the model that it is for", "weft convert style.safetensors --to diffusers --base unet/ -o style-diffusers/"],
      ),
    )
    .action(run(async () => (await import("../commands/convert.js")).convert));
