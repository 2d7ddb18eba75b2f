import type { CommandUnknownOpts, Option } from "@commander-js/extra-typings";

/** What a shell offers for a value: names, files, or nothing. */
export interface Value {
  readonly name: string;
  readonly choices: readonly string[];
  readonly files: boolean;
}

export interface CompletedOption {
  /** `-o`, `--out`. */
  readonly flags: readonly string[];
  readonly description: string;
  /** undefined: it takes none. */
  readonly value: Value | undefined;
}

/** What can follow the name of a command. */
export interface CompletedCommand {
  readonly name: string;
  readonly description: string;
  readonly options: readonly CompletedOption[];
  readonly args: readonly Value[];
}

/** The words of a command line, out of the declarations of its commands. */
export function wordsOf(program: CommandUnknownOpts): CompletedCommand[] {
  const help = program.createHelp();
  const commands = help.visibleCommands(program);
  const names = commands.map((command) => command.name());
  return commands.map((command) => ({
    name: command.name(),
    description: firstLine(command.description()),
    options: [...help.visibleOptions(command), ...help.visibleGlobalOptions(command)].map(optionOf),
    args: command.registeredArguments.map((argument) => {
      const ofHelp = command.name() === "help";
      return { name: argument.name(), choices: argument.argChoices ?? (ofHelp ? names : []), files: !argument.argChoices && !ofHelp };
    }),
  }));
}

function optionOf(option: Option): CompletedOption {
  const placeholder = /[<[]([^>]+?)[\]>]?$/.exec(option.flags)?.[1];
  return {
    flags: [option.short, option.long].filter((flag) => flag !== undefined),
    description: firstLine(option.description),
    value:
      option.required || option.optional
        ? { name: placeholder ?? "value", choices: option.argChoices ?? [], files: /^(path|folder|file)\b/.test(placeholder ?? "") }
        : undefined,
  };
}

/** Shells show descriptions in one line each. */
const firstLine = (text: string): string => text.split("\n")[0]!;
