import { spawnSync } from "node:child_process";
import { availableParallelism, cpus, release, totalmem } from "node:os";

/** Where the values come from: without it they mean nothing. */
export interface Machine {
  readonly cpu: string;
  /** Cores that this process may use. */
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
}

export function thisMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Number((totalmem() / 2 ** 30).toFixed(1)),
    system: `${process.platform} ${process.arch} ${release()}`,
  };
}

/** Versions of what every suite uses. */
export function baseVersions(root: string): Record<string, string> {
  const git = spawnSync("git", ["rev-parse", "--short", "HEAD"], { cwd: root, encoding: "utf8" });
  return { node: process.versions.node, v8: process.versions.v8, weft: git.status === 0 ? git.stdout.trim() : "unknown" };
}
