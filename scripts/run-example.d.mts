import type { SpawnSyncReturns } from "node:child_process";

export function runExample(code: string, args?: readonly string[], stdio?: "pipe" | "inherit"): Promise<SpawnSyncReturns<string>>;
