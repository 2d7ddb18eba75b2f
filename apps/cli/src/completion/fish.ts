import type { CompletedCommand, CompletedOption } from "./words.js";

const quoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

function option(command: string, { flags, description, value }: CompletedOption): string {
  const names = flags.map((flag) => (flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`)).join(" ");
  const takes = !value ? "" : value.choices.length > 0 ? ` -x -a ${quoted(value.choices.join(" "))}` : value.files ? " -r -F" : " -x";
  return `complete -c weft -n '__fish_seen_subcommand_from ${command}' ${names}${takes} -d ${quoted(description)}`;
}

/** What fish reads: `weft completion fish > ~/.config/fish/completions/weft.fish`. */
export function fishCompletion(commands: readonly CompletedCommand[]): string {
  return [
    "# weft completion for fish: weft completion fish > ~/.config/fish/completions/weft.fish",
    "complete -c weft -f",
    ...commands.flatMap(({ name, description, options, args }) => [
      `complete -c weft -n __fish_use_subcommand -a ${name} -d ${quoted(description)}`,
      ...options.map((one) => option(name, one)),
      ...(args.some(({ files }) => files) ? [`complete -c weft -n '__fish_seen_subcommand_from ${name}' -F`] : []),
      ...args.flatMap(({ choices }) =>
        choices.length > 0 ? [`complete -c weft -n '__fish_seen_subcommand_from ${name}' -a ${quoted(choices.join(" "))}`] : [],
      ),
    ]),
    "",
  ].join("\n");
}
