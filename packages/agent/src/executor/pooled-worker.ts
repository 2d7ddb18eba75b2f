import { failure } from "../tools/failure.js";
import type { ToolResult } from "../tools/tool.js";
import type { EngineLimits, EngineName, WorkerMessage } from "./protocol.js";
import { spawn, type Thread } from "./spawn.js";

/** Most ms that an engine may take to load; the time of a call counts from then on. Z3 needs 2 seconds on a quiet machine, and over a minute on a crowded one. */
const MAX_START_MS = 300_000;

/** A worker with one engine, which runs one call at a time. */
export class PooledWorker {
  readonly engine: EngineName;
  alive = true;
  readonly #thread: Thread;
  readonly #ready: Promise<ToolResult | undefined>;
  #started: (failed: ToolResult | undefined) => void = () => undefined;
  #answer: ((result: ToolResult) => void) | undefined;

  constructor(engine: EngineName, limits: EngineLimits, program: URL | undefined) {
    this.engine = engine;
    this.#ready = new Promise((resolve) => (this.#started = resolve));
    this.#thread = spawn(limits, { message: (message) => this.#take(message), end: (error) => this.#ended(error) }, program);
    this.#thread.post({ engine, limits });
  }

  /** @param time in ms @returns what the engine gives, or why it was ended */
  async call(input: unknown, time: number, signal: AbortSignal | undefined): Promise<ToolResult> {
    const answer = new Promise<ToolResult>((resolve) => (this.#answer = resolve));
    const cancel = (): void => void this.end(failure("failed", "cancelled"));
    signal?.addEventListener("abort", cancel, { once: true });
    let timer = setTimeout(() => void this.end(failure("timeout", `the ${this.engine} engine did not start`)), MAX_START_MS);
    try {
      const failed = await Promise.race([this.#ready, answer]);
      clearTimeout(timer);
      if (failed) {
        await this.end(failed);
        return failed;
      }
      timer = setTimeout(() => void this.end(failure("timeout", `the call did not end within ${time} ms, and was stopped`)), time);
      this.#thread.post({ input, deadline: Date.now() + time });
      return await answer;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", cancel);
      this.#answer = undefined;
    }
  }

  /** Ends the worker, and then the call that it runs. */
  async end(result: ToolResult): Promise<void> {
    this.alive = false;
    await this.#thread.terminate();
    this.#answer?.(result);
  }

  #take(message: WorkerMessage): void {
    if ("ready" in message) this.#started(undefined);
    else if ("failed" in message) this.#started(message.failed);
    else if (message.broken) void this.end(message.result);
    else this.#answer?.(message.result);
  }

  #ended(error: Error): void {
    if (!this.alive) return;
    this.alive = false;
    const outOfMemory = (error as { code?: string }).code === "ERR_WORKER_OUT_OF_MEMORY";
    const result = outOfMemory
      ? failure("memory", "the call took more memory than it may, and was stopped")
      : failure("failed", `the ${this.engine} engine stopped: ${error.message}`);
    this.#started(result);
    this.#answer?.(result);
  }
}
