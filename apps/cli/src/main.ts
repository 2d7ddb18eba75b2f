import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { EXIT, type Command as Run, type Context, type GlobalOptions } from "./context.js";
import { describeFailure, failureJson, failureText, UsageError } from "./failure.js";
import { Output, type Streams } from "./output.js";
import { declareCommands } from "./program.js";
import { watchSignals } from "./signals.js";

/** Runs the command line. @returns the exit code */
export async function main(argv: readonly string[], streams: Streams = processStreams()): Promise<number> {
  const options = { json: argv.includes("--json"), verbose: argv.includes("--verbose") };
  const signals = watchSignals();
  try {
    return await runProgram(argv, streams, signals.signal);
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.done;
    const failure = describeFailure(error instanceof CommanderError ? usage(error) : error, signals.received());
    if (options.json) streams.stdout(`${JSON.stringify(failureJson(failure))}\n`);
    else streams.stderr(failureText(failure));
    if (options.verbose && error instanceof Error) streams.stderr(`${stackOf(error)}\n`);
    return failure.exit;
  } finally {
    signals.dispose();
  }
}

async function runProgram(argv: readonly string[], streams: Streams, signal: AbortSignal): Promise<number> {
  let exit: number = EXIT.done;
  const program = new Command("weft")
    .description("Adapters and checkpoints in safetensors: inspect, merge, convert, extract.")
    .version("0.0.0")
    .option("--json", "JSON lines on stdout, the last one the result")
    .option("--quiet", "nothing but the result and errors")
    .option("--verbose", "stack traces of failures")
    .addOption(new Option("--jobs <n>", "threads (default: as many as cores, at most 8)").argParser(positiveInteger))
    .option("--dry-run", "say what would be written, write nothing")
    .option("--force", "replace existing output")
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ writeOut: streams.stdout, writeErr: () => {}, outputError: () => {} });
  /** Wraps a lazily loaded command for commander. */
  const lazy =
    (load: () => Promise<Run<never>>) =>
    async (...args: unknown[]): Promise<void> => {
      const command = args.pop() as Command;
      const all = command.optsWithGlobals() as Record<string, unknown>;
      const { json = false, quiet = false, verbose = false, dryRun = false, force = false, jobs } = all;
      const global = { json, quiet, verbose, dryRun, force, jobs } as GlobalOptions;
      const context: Context = { options: global, out: new Output(streams, global), signal };
      const run = await load();
      exit = await run(command.args, all as never, context);
    };
  declareCommands(program, lazy);
  await program.parseAsync([...argv], { from: "user" });
  return exit;
}

export function positiveInteger(text: string): number {
  const n = Number(text);
  if (!/^\d+$/.test(text) || n < 1 || n > 1024) throw new InvalidArgumentError("expected a whole number from 1 to 1024");
  return n;
}

/** commander's own complaints: "error: unknown option '--jsn'\n(Did you mean --json?)". */
function usage(error: CommanderError): UsageError {
  if (error.code === "commander.help") return new UsageError("no command given", "weft --help lists the commands");
  const [first, ...rest] = error.message.replace(/^error: /, "").split("\n");
  const meant = /\(Did you mean (.+)\?\)/.exec(rest.join("\n"))?.[1];
  return new UsageError(first!, meant ? `did you mean ${meant}?` : "weft --help lists commands and options");
}

function stackOf(error: Error): string {
  const { cause } = error;
  return `${error.stack ?? error.message}${cause instanceof Error ? `\ncaused by: ${stackOf(cause)}` : ""}`;
}

/** The standard streams. A reader that has gone (`weft … | head`) ends the program without a word. */
function processStreams(): Streams {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(EXIT.done);
      throw error;
    });
  }
  return {
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    terminal: process.stderr.isTTY === true,
  };
}
