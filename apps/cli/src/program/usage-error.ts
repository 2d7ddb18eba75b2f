import { CommanderError, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { UsageError } from "../failure.js";

/**
 * commander's complaint, told as ours: "error: unknown option '--jsn'\n(Did you mean --json?)".
 * @param relaxed the same program without actions and mandatory options
 */
export function usageError(error: CommanderError, argv: readonly string[], relaxed: CommandUnknownOpts): UsageError {
  const typo = error.code === "commander.missingMandatoryOptionValue" ? unknownOption(argv, relaxed) : undefined;
  const [first, ...rest] = (typo ?? error).message.replace(/^error: /, "").split("\n");
  const meant = /\(Did you mean (.+)\?\)/.exec(rest.join("\n"))?.[1];
  const command = relaxed.commands.find((one) => argv.includes(one.name()))?.name();
  return new UsageError(
    first!,
    meant ? `did you mean ${meant}?` : command ? `weft ${command} --help shows its options and examples` : "weft --help lists the commands",
  );
}

/** An option that is missing may be there under a name that is none; that name is the mistake to speak of. */
function unknownOption(argv: readonly string[], relaxed: CommandUnknownOpts): CommanderError | undefined {
  for (const command of relaxed.commands) for (const option of command.options) option.mandatory = false;
  try {
    relaxed.parse([...argv], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError && error.code === "commander.unknownOption") return error;
  }
  return undefined;
}
