import { CommanderError } from "@commander-js/extra-typings";
import { EXIT } from "./context.js";
import { describeFailure, failureJson, failureText } from "./failure.js";
import { Output, type Streams } from "./output.js";
import { createProgram } from "./program/create-program.js";
import { usageError } from "./program/usage-error.js";
import { watchSignals } from "./signals.js";
import { styleFor, wantsColor } from "./style.js";

/** Runs the command line. @returns the exit code */
export async function main(argv: readonly string[], streams: Streams = processStreams()): Promise<number> {
  const options = { json: argv.includes("--json"), verbose: argv.includes("--verbose") };
  const signals = watchSignals();
  let exit: number = EXIT.done;
  const program = createProgram(streams, async (run, options) => {
    exit = await run({
      options,
      out: new Output(streams, options),
      signal: signals.signal,
      methods: async () => (await import("./methods/load-methods.js")).loadMethods(options.methods),
    });
  });
  try {
    await program.parseAsync([...argv], { from: "user" });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.done;
    if (error instanceof CommanderError && error.code === "commander.help") {
      program.outputHelp();
      return EXIT.done;
    }
    const failure = describeFailure(
      error instanceof CommanderError
        ? usageError(
            error,
            argv,
            createProgram(streams, async () => {}),
          )
        : error,
      signals.received(),
    );
    if (options.json) streams.stdout(`${JSON.stringify(failureJson(failure))}\n`);
    else streams.stderr(failureText(failure, styleFor(streams.color?.stderr ?? false)));
    if (options.verbose && error instanceof Error) streams.stderr(`${stackOf(error)}\n`);
    return failure.exit;
  } finally {
    signals.dispose();
  }
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
    columns: () => process.stderr.columns ?? 80,
    color: { stdout: wantsColor(process.stdout.isTTY === true), stderr: wantsColor(process.stderr.isTTY === true) },
  };
}
