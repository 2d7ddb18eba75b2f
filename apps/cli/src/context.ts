import type { GlobalOptions } from "./global-options.js";
import type { Methods } from "./methods/load-methods.js";
import type { Output } from "./output.js";

/** What a command gets besides its own arguments. */
export interface Context {
  readonly options: GlobalOptions;
  readonly out: Output;
  /** Fires on SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  /** The methods that adapters may be of: they are loaded where a command asks. */
  readonly methods: () => Promise<Methods>;
}

/** An argument as the command line has it: there, optional, or a list of all that are left. */
export type Argument = string | undefined | string[];

/** Runs a command. The result is the exit code; failures are thrown. */
export type Command<Options, Args extends readonly Argument[] = [string]> = (
  args: Args,
  options: Options,
  context: Context,
) => Promise<number>;

/** Exit codes of `weft`. */
export const EXIT = { done: 0, failed: 1, invalid: 2, unlike: 4, device: 5, sigint: 130, sigterm: 143 } as const;
