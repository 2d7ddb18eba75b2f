import { rmSync } from "node:fs";
import type { BenchContext } from "../../context.js";
import { assertDone, runProcess } from "../../process.js";
import { hashFolder, sameHashes } from "./files.js";
import { mergeArguments, type MergeJob, mergeOnce } from "./job.js";

/** Where in a whole run the process is killed, one after the other; then the same command finishes the job. */
const MOMENTS = [0.2, 0.4, 0.6, 0.8, 0.9];

/** SIGKILL leaves no time to tidy up: whatever lies in the folder then, the same command must end with the same bytes. */
export async function killAndResume(job: MergeJob, context: BenchContext): Promise<void> {
  const options = ["--jobs", "2"];
  const whole = await mergeOnce(job, options);
  const want = hashFolder(job.out);

  rmSync(job.out, { recursive: true });
  let killed = 0;
  for (const moment of MOMENTS) {
    const result = await runProcess(process.execPath, mergeArguments(job, options), {
      onStart: (child) => void setTimeout(() => child.kill("SIGKILL"), whole.seconds * 1000 * moment),
    });
    if (result.status === 0) break;
    if (result.status !== null) assertDone("weft merge after a kill", result);
    killed++;
  }
  const last = await runProcess(process.execPath, mergeArguments(job, options));
  // A job that ended before its last kill has nothing left to do, and says so.
  const complete = last.status === 0 || killed < MOMENTS.length;
  const same = complete && sameHashes(want, hashFolder(job.out));
  context.emit({
    suite: "merge",
    case: `${job.case}, killed ${killed} times, then finished`,
    metric: "equal bytes",
    value: same ? 1 : 0,
    unit: "",
    anchor: null,
    ratio: null,
    goal: "1",
    met: same,
  });
  if (last.status === 0)
    context.emit({
      suite: "merge",
      case: `${job.case}, last run after ${killed} kills`,
      metric: "wall time",
      value: last.seconds,
      unit: "s",
      anchor: "whole run",
      ratio: whole.seconds / last.seconds,
    });
}
