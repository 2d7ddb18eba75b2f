import type { SpawnSyncReturns } from "node:child_process";

export interface Examples {
  run(code: string, args?: readonly string[], stdio?: "pipe" | "inherit"): SpawnSyncReturns<string>;
  remove(): void;
}
export function bundleExamples(codes: readonly string[]): Promise<Examples>;
export function runExample(code: string, args?: readonly string[], stdio?: "pipe" | "inherit"): Promise<SpawnSyncReturns<string>>;
