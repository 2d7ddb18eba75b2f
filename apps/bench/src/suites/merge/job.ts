import { rmSync } from "node:fs";
import { assertDone, type ProcessResult, runProcess } from "../../process.js";

/** What is merged, by which build of weft, and where to. */
export interface MergeJob {
  readonly base: string;
  readonly adapter: string;
  readonly weft: string;
  readonly out: string;
  readonly case: string;
}

export function mergeArguments({ weft, base, adapter, out }: MergeJob, options: readonly string[]): string[] {
  return [weft, "merge", base, "-a", adapter, "-o", out, "--quiet", ...options];
}

/** One merge into an empty folder, which stays. */
export async function mergeOnce(job: MergeJob, options: readonly string[]): Promise<ProcessResult> {
  rmSync(job.out, { recursive: true, force: true });
  return assertDone(`weft merge ${options.join(" ")}`, await runProcess(process.execPath, mergeArguments(job, options)));
}
