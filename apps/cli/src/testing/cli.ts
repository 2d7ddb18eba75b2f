import { spawn, type SpawnOptions, spawnSync } from "node:child_process";
import { join } from "node:path";
import { main } from "../main.js";

export { FIXTURES, temporaryFolder } from "@weft/checkpoint/testing";

const ROOT: string = join(import.meta.dirname, "../../../..");
export const PROGRAM: string = join(ROOT, "apps/cli/dist/weft.js");

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command of the sources in this process. */
export const weft = (...argv: readonly string[]): Promise<Ran> => run(main, argv);

/** Runs a command of the built program in this process: for many small ones, of which a process each would mostly start. */
export async function weftBuilt(...argv: readonly string[]): Promise<Ran> {
  const built = (await import(join(PROGRAM, "../main.js"))) as { readonly main: typeof main };
  return run(built.main, argv);
}

async function run(program: typeof main, argv: readonly string[]): Promise<Ran> {
  let [stdout, stderr] = ["", ""];
  const code = await program(argv, { stdout: (text) => void (stdout += text), stderr: (text) => void (stderr += text), terminal: false });
  return { code, stdout, stderr };
}

/** Tells the peak memory in a line of its own on stderr. The system's own counter (maxRSS) begins with what the process that started this one had; VmHWM does not. */
const REPORT = `data:text/javascript,import{readFileSync}from"node:fs";process.on("exit",()=>{let kb=process.resourceUsage().maxRSS;try{kb=/VmHWM:%5Cs*(%5Cd%2B)/.exec(readFileSync("/proc/self/status","utf8"))[1]}catch{}process.stderr.write("%5Cnmaxrss "+kb)})`;

/** Nothing that the tests run takes as long. A program that hangs fails its test instead of holding up all. */
const HANGING = { timeout: 300_000, killSignal: "SIGKILL" } as const;

/** Runs the built program, which the set-up of the tests has built. `maxRss` is its peak memory in bytes. */
export function spawnWeft(
  argv: readonly string[],
  options: { readonly cwd?: string; readonly shell?: string } = {},
): Ran & { readonly maxRss: number } {
  const args = ["--import", REPORT, PROGRAM, ...argv];
  const result = options.shell
    ? spawnSync("bash", ["-c", `${options.shell}; exec "$0" "$@"`, process.execPath, ...args], {
        encoding: "utf8",
        ...HANGING,
        ...(options.cwd && { cwd: options.cwd }),
      })
    : spawnSync(process.execPath, args, { encoding: "utf8", ...HANGING, ...(options.cwd && { cwd: options.cwd }) });
  // Worker threads load the report, too.
  const peaks = [...result.stderr.matchAll(/\nmaxrss (\d+)/g)].map((match) => Number(match[1]));
  return {
    code: result.status ?? -1,
    stdout: result.stdout,
    stderr: result.stderr.replace(/\nmaxrss \d+/g, ""),
    maxRss: Math.max(0, ...peaks) * 1024,
  };
}

/** Starts the built program and leaves it running. */
export const startWeft = (argv: readonly string[], options: SpawnOptions = {}): ReturnType<typeof spawn> =>
  spawn(process.execPath, [PROGRAM, ...argv], options);
