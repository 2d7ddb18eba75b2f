import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Argument, Command } from "../context.js";

/** Makes the action of a command: what `load` imports runs only when the command is called, with the arguments and options of its declaration. */
export type Runner = <Args extends readonly Argument[], Options extends object>(
  load: () => Promise<Command<Options, Args>>,
) => (...parameters: [...Args, Options, CommandUnknownOpts]) => Promise<void>;
