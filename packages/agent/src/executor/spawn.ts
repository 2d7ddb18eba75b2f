import { PROGRAM } from "./program.js";
import type { EngineLimits, WorkerMessage } from "./protocol.js";

/** A worker as its owner sees it. */
export interface Thread {
  post(data: unknown): void;
  /** Resolves once it has ended. */
  terminate(): Promise<void>;
}

/** What a worker says. */
export interface ThreadEvents {
  message(message: WorkerMessage): void;
  /** It has ended by itself: out of memory, or by an error that nothing caught. */
  end(error: Error): void;
}

interface NodeWorker {
  on(event: "message", listener: (message: WorkerMessage) => void): void;
  on(event: "error", listener: (error: Error) => void): void;
  on(event: "exit", listener: (code: number) => void): void;
  postMessage(data: unknown): void;
  terminate(): Promise<number>;
  unref(): void;
  readonly stdout: { resume(): void };
  readonly stderr: { resume(): void };
}
interface NodeThreads {
  readonly Worker: new (url: URL, options: object) => NodeWorker;
}

/** MiB beside what an engine may take: its program and compiled code. */
const PROGRAM_MB = 48;

/** Starts the program of the workers, or another one at `program`, without an environment and with a limit of the JavaScript heap where there are such. */
export function spawn({ memoryBytes }: EngineLimits, events: ThreadEvents, program: URL | undefined): Thread {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): NodeThreads } };
  const node = process?.getBuiltinModule?.("node:worker_threads");
  if (node) {
    const worker = new node.Worker(program ?? PROGRAM, {
      env: {},
      argv: [],
      execArgv: [],
      stdin: false,
      stdout: true,
      stderr: true,
      resourceLimits: {
        maxOldGenerationSizeMb: Math.ceil(memoryBytes / 2 ** 20) + PROGRAM_MB,
        maxYoungGenerationSizeMb: 16,
        stackSizeMb: 4,
      },
    });
    worker.on("message", events.message);
    worker.on("error", events.end);
    worker.on("exit", (code) => events.end(new Error(`the worker ended with code ${code}`)));
    // Engines report by messages; what they print besides is dropped.
    worker.stdout.resume();
    worker.stderr.resume();
    // Waiting workers keep no process alive; the timer of a call does.
    worker.unref();
    // oxlint-disable-next-line require-post-message-target-origin -- a worker has no origin
    return { post: (data) => worker.postMessage(data), terminate: async () => void (await worker.terminate()) };
  }
  // Written out, so that bundlers find the program.
  const worker = program
    ? new Worker(program, { type: "module" })
    : new Worker(new URL("./worker/worker.js", import.meta.url), { type: "module" });
  worker.addEventListener("message", ({ data }) => events.message(data as WorkerMessage));
  worker.addEventListener("error", ({ message }) => events.end(new Error(message || "the worker could not be started")));
  return {
    // oxlint-disable-next-line require-post-message-target-origin -- a worker has no origin
    post: (data) => worker.postMessage(data),
    terminate: () => {
      worker.terminate();
      return Promise.resolve();
    },
  };
}
