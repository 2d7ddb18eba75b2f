import { Command, Option } from "@commander-js/extra-typings";
import { examples } from "./examples.js";
import { activations, contextLength, device, model } from "./model-options.js";
import type { Runner } from "./runner.js";
import { collect, count, namedPath, natural, port, size } from "./values.js";

export const serveCommand = (run: Runner) =>
  new Command("serve")
    .description("serve a model and its adapters with OpenAI's API; the field model of a request picks the adapter")
    .addOption(model())
    .addOption(
      new Option(
        "-a, --adapter <name=path[:scale]>",
        "adapter: its name for clients, folder or file, and a factor on its effect (repeat for several)",
      )
        .argParser(namedPath)
        .default([] as (readonly [name: string, path: string])[], "none"),
    )
    .addOption(
      new Option("--model-name <name>", "what clients call the model without any adapter (default: the name of its folder or file)"),
    )
    .addOption(new Option("--host <address>", "where it listens; others than 127.0.0.1 need a token").default("127.0.0.1"))
    .addOption(new Option("--port <n>", "0 takes a free one").argParser(port).default(8000))
    .addOption(new Option("--token <token>", "what clients send as Authorization: Bearer (default: a new one, which is printed)"))
    .addOption(new Option("--no-token", "everybody on this machine may use it"))
    .addOption(
      new Option("--allow-host <name>", "a name that clients may call it by, besides its address (repeat for several)")
        .argParser(collect)
        .default([] as string[], "none"),
    )
    .addOption(
      new Option("--adapter-folder <folder>", "a folder below which clients may load adapters while it runs (repeat for several)")
        .argParser(collect)
        .default([] as string[], "none"),
    )
    .addOption(new Option("--max-batch <n>", "answers that run at once").argParser(count).default(8))
    .addOption(new Option("--max-waiting <n>", "answers that may wait; more are refused by 429").argParser(natural).default(64))
    .addOption(
      new Option("--grace <seconds>", "how long answers under way may take to finish when it is stopped").argParser(size).default(30),
    )
    .addOption(contextLength())
    .addOption(device())
    .addOption(activations())
    .addHelpText(
      "after",
      examples(
        ["a model with two adapters", "weft serve -m model/ -a poet=loras/poet -a lawyer=loras/lawyer:0.8"],
        ["clients load adapters themselves", "weft serve -m model.gguf --adapter-folder loras/"],
      ),
    )
    .action(run(async () => (await import("../commands/serve.js")).serve));
