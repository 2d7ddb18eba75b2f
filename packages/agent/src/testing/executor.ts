import { Executor, type ExecutorOptions } from "../executor/executor.js";

/** The workers' program as it is published: tests run of sources, beside which there is none. */
export const PROGRAM: URL = new URL("../../dist/worker/worker.js", import.meta.url);

/** An executor of the built program. */
export const builtExecutor = (options: ExecutorOptions = {}): Executor => new Executor({ program: PROGRAM, ...options });
