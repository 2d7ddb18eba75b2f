import { CancelledError, ConfigError } from "@weft/tensor-core";
import { failure } from "../tools/failure.js";
import type { CallLimits, ToolResult } from "../tools/tool.js";
import { PooledWorker } from "./pooled-worker.js";
import type { EngineLimits, EngineName } from "./protocol.js";

/** What an executor may use. */
export interface ExecutorOptions {
  /** Calls that run at once; others wait. 2 if not given. */
  readonly size?: number;
  /** Bytes that an engine may take; 64 MiB if not given. The SMT solver has 512 MiB beside it, of which it takes 150 as it starts. */
  readonly memoryBytes?: number;
  /** Bytes of UTF-8 that a result may have; 8192 if not given. */
  readonly outputBytes?: number;
  /** The program of the workers, where a bundler has not taken it along: `dist/worker/worker.js` of this package. */
  readonly program?: URL;
}

/**
 * Runs calls in workers, one call per worker at a time: `worker_threads` in Node, `Worker` in pages. At the deadline a worker is ended, which stops busy loops
 * as well, and another takes its place. Nothing of an ended worker is used again.
 */
export class Executor {
  readonly #limits: EngineLimits;
  readonly #program: URL | undefined;
  readonly #idle: PooledWorker[] = [];
  readonly #running = new Set<PooledWorker>();
  readonly #waiting: (() => void)[] = [];
  #free: number;
  #disposed = false;

  /** @throws ConfigError kind `agent-option` */
  constructor({ size = 2, memoryBytes = 64 * 2 ** 20, outputBytes = 8192, program }: ExecutorOptions = {}) {
    for (const [name, value, least] of [
      ["size", size, 1],
      ["memoryBytes", memoryBytes, 2 ** 20],
      ["outputBytes", outputBytes, 64],
    ] as const)
      if (!Number.isSafeInteger(value) || value < least)
        throw new ConfigError(`${name} is ${value}, expected a whole number from ${least} on`, { kind: "agent-option" });
    this.#free = size;
    this.#limits = { memoryBytes, outputBytes };
    this.#program = program;
  }

  /** Workers that there are, waiting and running. */
  get workers(): number {
    return this.#idle.length + this.#running.size;
  }

  /** Runs one call. Never rejects: a deadline, an end of memory and an error of the engine are results. */
  async run(engine: EngineName, input: unknown, { signal, deadline }: CallLimits): Promise<ToolResult> {
    const begun = Date.now();
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#free--;
    try {
      if (this.#disposed || signal?.aborted) return failure("failed", new CancelledError().message);
      // Neither waiting for a place nor the start of an engine is a call's own time.
      return await this.#call(engine, input, Math.max(0, deadline - begun), signal);
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }

  async #call(engine: EngineName, input: unknown, time: number, signal: AbortSignal | undefined): Promise<ToolResult> {
    const place = this.#idle.findIndex((one) => one.engine === engine && one.alive);
    const worker = place < 0 ? new PooledWorker(engine, this.#limits, this.#program) : this.#idle.splice(place, 1)[0]!;
    this.#running.add(worker);
    try {
      return await worker.call(input, time, signal);
    } finally {
      this.#running.delete(worker);
      if (worker.alive && !this.#disposed) this.#idle.push(worker);
    }
  }

  /** Ends all workers; calls that run end as cancelled. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    await Promise.all([...this.#idle.splice(0), ...this.#running].map((worker) => worker.end(failure("failed", "cancelled"))));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}
