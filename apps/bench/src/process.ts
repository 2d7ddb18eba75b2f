import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";

export interface ProcessResult {
  readonly seconds: number;
  /** Most memory that the process held, in bytes; 0 where the system does not tell. */
  readonly peakBytes: number;
  /** Exit code; null if a signal ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How often the high-water mark is read; it only ever grows, so only the last few milliseconds go unseen. */
const POLL_MS = 5;

/** Runs a program and measures it from outside: wall time, start-up included, and peak memory of its process (Linux). */
export function runProcess(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly onStart?: (child: ChildProcess) => void } = {},
): Promise<ProcessResult> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(program, args, { cwd: options.cwd, stdio: ["ignore", "pipe", "pipe"] });
    const output = { stdout: "", stderr: "" };
    let peakBytes = 0;
    const poll = setInterval(() => {
      peakBytes = Math.max(peakBytes, highWaterMark(child.pid));
    }, POLL_MS);
    child.stdout.on("data", (data: Buffer) => (output.stdout += data.toString()));
    child.stderr.on("data", (data: Buffer) => (output.stderr += data.toString()));
    child.on("error", (error) => {
      clearInterval(poll);
      reject(error);
    });
    let seconds = 0;
    child.on("exit", () => (seconds = (performance.now() - start) / 1000));
    child.on("close", (status) => {
      clearInterval(poll);
      resolve({ seconds, peakBytes, status, ...output });
    });
    options.onStart?.(child);
  });
}

function highWaterMark(pid: number | undefined): number {
  if (pid === undefined || process.platform !== "linux") return 0;
  try {
    const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return match ? Number(match[1]) * 1024 : 0;
  } catch {
    return 0; // it has just ended
  }
}

/** @throws Error with what the program said, if it failed */
export function assertDone(name: string, result: ProcessResult): ProcessResult {
  if (result.status !== 0) throw new Error(`${name} ended with exit code ${result.status}:\n${result.stderr.slice(-2000)}`);
  return result;
}
