import { Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import type { Context } from "../context.js";
import type { GlobalOptions } from "../global-options.js";
import type { Streams } from "../output.js";
import { styleFor } from "../style.js";
import { HOMEPAGE, VERSION } from "../version.js";
import { benchCommand } from "./bench.js";
import { combineCommand } from "./combine.js";
import { completionCommand } from "./completion.js";
import { convertCommand } from "./convert.js";
import { diffCommand } from "./diff.js";
import { doctorCommand } from "./doctor.js";
import { exportCommand } from "./export.js";
import { embedCommand } from "./embed.js";
import { evalCommand } from "./eval.js";
import { extractCommand } from "./extract.js";
import { generateCommand } from "./generate.js";
import { inspectCommand } from "./inspect.js";
import { lintCommand } from "./lint.js";
import { mergeCommand } from "./merge.js";
import { modelsCommand } from "./models.js";
import { planCommand } from "./plan.js";
import { pullCommand } from "./pull.js";
import { quantizeCommand } from "./quantize.js";
import { resizeCommand } from "./resize.js";
import { runCommand } from "./run.js";
import type { Runner } from "./runner.js";
import { serveCommand } from "./serve.js";
import { studioCommand } from "./studio.js";
import { tokenizeCommand } from "./tokenize.js";
import { trainCommand } from "./train.js";
import { unmergeCommand } from "./unmerge.js";
import { choice, collect, threads } from "./values.js";
import { verifyCommand } from "./verify.js";

type Declare = (run: Runner) => CommandUnknownOpts;

const GROUPS: readonly (readonly [heading: string, commands: readonly Declare[]])[] = [
  ["Look:", [inspectCommand, diffCommand, lintCommand]],
  ["Checkpoints:", [mergeCommand, quantizeCommand, verifyCommand, unmergeCommand, planCommand, runCommand]],
  ["Adapters:", [convertCommand, extractCommand, resizeCommand, combineCommand, exportCommand]],
  [
    "Models:",
    [modelsCommand, pullCommand, generateCommand, trainCommand, evalCommand, embedCommand, tokenizeCommand, serveCommand, studioCommand],
  ],
  ["This machine:", [doctorCommand, benchCommand, completionCommand]],
];

/** What becomes of a command that was called: `run` does it. */
export type OnCall = (run: (context: Context) => Promise<number>, options: GlobalOptions) => Promise<void>;

/** The command line: every command with its arguments, options and help. What a command does is loaded when it is called. */
export function createProgram(streams: Streams, onCall: OnCall): CommandUnknownOpts {
  const program = new Command("weft")
    .description("LoRA and other adapters, checkpoints and models: inspect, merge, convert, quantise, extract, train, generate.")
    .version(VERSION)
    .option("--json", "JSON lines on stdout, the last one the result")
    .option("--quiet", "nothing but the result and errors")
    .option("--verbose", "stack traces of failures")
    .addOption(new Option("--jobs <n>", "threads (default: as many as cores, at most 8)").argParser(threads))
    .addOption(
      new Option("--methods <module>", "JavaScript module that exports adapter methods of your own (repeat for several)")
        .argParser(collect)
        .default([] as string[], "none"),
    )
    .option("--dry-run", "say what would be written, write nothing")
    .option("--force", "replace existing output")
    .addHelpText("after", `\nweft COMMAND --help shows the options of a command, with examples.\nDocumentation: ${HOMEPAGE}`)
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: true, minWidthToWrap: 20, styleTitle: styleFor(true).bold })
    .exitOverride()
    .configureOutput({
      writeOut: streams.stdout,
      writeErr: () => {},
      outputError: () => {},
      // commander takes the styles out again where there are no colours.
      getOutHasColors: () => streams.color?.stdout ?? false,
      getOutHelpWidth: () => Math.min(streams.columns?.() ?? 80, 120),
    });
  const run: Runner =
    (load) =>
    (...parameters) => {
      const { json = false, quiet = false, verbose = false, dryRun = false, force = false, jobs, methods } = program.opts();
      // commander appends the options and the command to the arguments.
      const [args, options] = [parameters.slice(0, -2), parameters.at(-2)] as unknown as Called<typeof load>;
      return onCall(async (context) => (await load())(args, options, context), { json, quiet, verbose, dryRun, force, jobs, methods });
    };
  for (const [heading, commands] of GROUPS)
    for (const declare of commands) {
      const command = declare(run).helpGroup(heading);
      for (const option of command.options) if (option.argChoices) option.argParser(choice(option.argChoices));
      program.addCommand(command.copyInheritedSettings(program));
    }
  return program;
}

/** Arguments and options of a command. */
type Called<Load> = Load extends () => Promise<(args: infer Args, options: infer Options, context: Context) => unknown>
  ? [Args, Options]
  : never;
