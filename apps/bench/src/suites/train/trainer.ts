import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { TrainAnswer, TrainCommand } from "./protocol.js";

/** A process that trains when it is asked to, and idles in between. */
export interface Trainer {
  readonly pid: number;
  call(command: TrainCommand): Promise<TrainAnswer>;
  stop(): void;
}

/** Starts `train-worker.ts` as it was built. */
export function startTrainer(program: string): Trainer {
  const child: ChildProcess = spawn(process.execPath, [program], { stdio: ["pipe", "pipe", "inherit"] });
  const waiting: { resolve: (line: string) => void; reject: (error: Error) => void }[] = [];
  createInterface({ input: child.stdout! }).on("line", (line) => waiting.shift()?.resolve(line));
  child.on("exit", (code) => waiting.splice(0).forEach(({ reject }) => reject(new Error(`the trainer ended with exit code ${code}`))));
  return {
    pid: child.pid!,
    stop: () => child.kill(),
    async call(command) {
      const line = await new Promise<string>((resolve, reject) => {
        waiting.push({ resolve, reject });
        child.stdin!.write(`${JSON.stringify(command)}\n`);
      });
      const answer = JSON.parse(line) as TrainAnswer;
      if (answer.error !== undefined) throw new Error(`trainer: ${answer.error}`);
      return answer;
    },
  };
}

/** The most memory that a process has held since `forgetPeak`, in bytes; undefined where the system does not tell. */
export function peakOf(pid: number): number | undefined {
  try {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1024;
  } catch {
    return undefined;
  }
}

/** The peak begins anew with what the process holds now (Linux, proc(5) clear_refs). */
export function forgetPeak(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, "5");
  } catch {
    // Elsewhere, or of another user: the peak is then that of the whole life of the process.
  }
}
