import { Command, Option } from "@commander-js/extra-typings";
import { EXPORT_TARGETS } from "../export/servers.js";
import { examples } from "./examples.js";
import { adapterName, allowLoss, alpha, baseName, namesFrom } from "./options.js";
import type { Runner } from "./runner.js";

export const exportCommand = (run: Runner) =>
  new Command("export")
    .description("write an adapter as a server loads it, or say why it would not")
    .argument("<in>", "adapter: folder or file, in any dialect")
    .addOption(new Option("--target <server>", "what is to load it").choices(EXPORT_TARGETS).makeOptionMandatory())
    .addOption(
      new Option(
        "-o, --out <path>",
        "folder; for llama-server a .gguf file, for onnx an .onnx_adapter file, or the base as .onnx with the adapter in it",
      ).makeOptionMandatory(),
    )
    .addOption(alpha())
    .addOption(adapterName())
    .addOption(baseName())
    .addOption(namesFrom())
    .addOption(allowLoss())
    .addHelpText(
      "after",
      examples(
        ["for vLLM", "weft export my-lora/ --target vllm -o served/"],
        ["for llama.cpp's server: a GGUF file", "weft export my-lora/ --target llama-server --base model.gguf -o my-lora.gguf"],
        ["for onnxruntime, as inputs of a model that takes adapters", "weft export my-lora/ --target onnx -o my-lora.onnx_adapter"],
        [
          "for any ONNX runtime: the model with the adapter merged into its constants",
          "weft export my-lora/ --target onnx --base model.onnx -o merged/model.onnx",
        ],
        ["the names fitted to the model that it is served with", "weft export my-lora/ --target vllm --base model/ -o served/"],
      ),
    )
    .action(run(async () => (await import("../commands/export.js")).exportAdapter));
