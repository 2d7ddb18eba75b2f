import type { ToolResult } from "../tools/tool.js";

/** What runs in workers. */
export type EngineName = "calculator" | "claims" | "smt" | "prolog" | "javascript";

/** What a worker has of resources. */
export interface EngineLimits {
  /** Bytes that an engine may take for what it runs. */
  readonly memoryBytes: number;
  /** Bytes of UTF-8 that a result may have. */
  readonly outputBytes: number;
}

/** To a worker: what to do, until when in ms since 1970. */
export interface WorkerCall {
  readonly input: unknown;
  readonly deadline: number;
}

/** How a worker begins. */
export interface WorkerStart {
  readonly engine: EngineName;
  readonly limits: EngineLimits;
}

/** From a worker: that its engine is there or not, or what came of a call; `broken` if the engine is in no state to go on. */
export type WorkerMessage =
  | { readonly ready: true }
  | { readonly failed: ToolResult }
  | { readonly result: ToolResult; readonly broken: boolean };

/** An engine: loaded once per worker, and run once per call. */
export interface Engine {
  run(input: unknown, deadline: number): Promise<ToolResult>;
}
