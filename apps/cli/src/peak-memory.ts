import { readFileSync } from "node:fs";

/**
 * The most memory that this process has had, in bytes. Linux begins the counter that Node reads (maxRSS) with what the process had that started this one;
 * `VmHWM` is this one's own.
 */
export function peakMemory(): number {
  try {
    const [, kib] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
    if (kib !== undefined) return Number(kib) * 1024;
  } catch {
    // Other systems have no such file.
  }
  return process.resourceUsage().maxRSS * 1024;
}
