import { Command, Option } from "@commander-js/extra-typings";
import { examples } from "./examples.js";
import type { Runner } from "./runner.js";
import { TRAIN_FIELDS, type TrainField } from "@weft/fine-tuning/fields";
import { PARSERS } from "./train-fields.js";
import { byteSize, collect } from "./values.js";

function optionOf({ flag, kind, choices, help }: TrainField): Option[] {
  if (flag === undefined) return [];
  const option = new Option(flag, help);
  if (choices) option.choices(choices);
  if (kind === "texts") option.argParser(collect);
  else if (kind === "bytes") option.argParser(byteSize);
  else if (Object.hasOwn(PARSERS, kind)) option.argParser(PARSERS[kind as keyof typeof PARSERS]);
  return [option];
}

export const trainCommand = (run: Runner) => {
  const command = new Command("train")
    .description("train an adapter of a model on data; --dry-run shows what would be learnt")
    .argument("[config]", "YAML file with the same settings under the names of transformers and PEFT; flags win over it");
  for (const option of TRAIN_FIELDS.flatMap(optionOf)) command.addOption(option);
  return command
    .option("--init", "ask five questions, and write CONFIG (default: train.yaml)")
    .option("--resume", "go on from the last checkpoint in the folder, bit for bit")
    .option("--allow-changed-settings", "with --resume: go on although settings are not those of the checkpoint")
    .option("--verify-resume", "prove that: four steps at once against two and two after a checkpoint; trains nothing else")
    .addHelpText(
      "after",
      examples(
        ["look at what would be trained on, and how much memory it takes", "weft train -m model/ --data chats.jsonl -o lora/ --dry-run"],
        [
          "train, evaluate on a tenth, show a sample",
          'weft train -m model/ --data chats.jsonl -o lora/ --eval-share 0.1 --sample-prompt "Hello"',
        ],
        [
          "from a quantised base, in packed rows",
          "weft train -m model.gguf --data text.txt -o lora/ --packing --max-length 512 --epochs 1",
        ],
        ["be asked, and have a file written", "weft train --init train.yaml"],
        ["settings of a file, of which one is changed", "weft train train.yaml --lr 1e-4"],
        ["go on after Ctrl-C", "weft train train.yaml --resume"],
      ),
    )
    .action(run(async () => (await import("../commands/train.js")).trainModel));
};
