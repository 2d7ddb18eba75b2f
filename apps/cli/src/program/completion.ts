import { Argument, Command } from "@commander-js/extra-typings";
import { SHELLS } from "../completion/shells.js";
import { examples } from "./examples.js";
import type { Runner } from "./runner.js";

export const completionCommand = (run: Runner) =>
  new Command("completion")
    .description("print what a shell reads to complete commands, options, their values and files")
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .addHelpText(
      "after",
      examples(
        ["bash: a line of ~/.bashrc", "source <(weft completion bash)"],
        ["zsh: a line of ~/.zshrc, after compinit", "source <(weft completion zsh)"],
        ["fish", "weft completion fish > ~/.config/fish/completions/weft.fish"],
      ),
    )
    .action(run(async () => (await import("../commands/completion.js")).completion));
