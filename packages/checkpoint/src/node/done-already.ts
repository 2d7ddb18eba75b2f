import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { CancelledError } from "@weft/tensor-core";
import { openFileBytes } from "@weft/io-safetensors/node";
import type { OutputPlan } from "../plan/layout.js";
import type { OnProgress } from "../job-progress.js";
import { runTask } from "./run-task.js";
import type { ComparedWith } from "./verify-sink.js";
import type { TensorDone, TensorTask } from "./worker-task.js";
import { type SideFile, unlikeSideFile } from "./side-files.js";

/**
 * Whether a folder holds exactly what a job would write, found by computing it again and comparing, up to the first difference: of a job that was
 * killed behind its last step nothing else tells that it was done.
 * @returns what became of each item, by name; undefined if anything is unlike
 */
export async function doneAlready(
  folder: string,
  plan: OutputPlan,
  side: readonly SideFile[],
  task: Pick<TensorTask, "plans" | "values" | "tileBytes" | "allowNonFinite" | "stats">,
  {
    jobs,
    signal,
    onProgress,
  }: { readonly jobs: number; readonly signal?: AbortSignal | undefined; readonly onProgress?: OnProgress | undefined },
): Promise<Map<string, TensorDone> | undefined> {
  if (!(await looksDone(folder, plan, side))) return undefined;
  const unlike = new AbortController();
  const results = new Map<string, TensorDone>();
  const compareWith: ComparedWith = new Map(
    plan.shards.flatMap(({ file, layout }) => layout.tensors.map(({ name, offset }) => [name, { file: join(folder, file), offset }])),
  );
  try {
    await runTask({
      task: { ...task, kind: "tensors", jobs: plan.items, outputs: [], compareWith },
      jobs,
      signal: signal ? AbortSignal.any([signal, unlike.signal]) : unlike.signal,
      onProgress: (done) => onProgress?.({ phase: "compare", done, total: plan.bytes }),
      onResult(index, done) {
        if (done.difference) unlike.abort();
        results.set(plan.items[index]!.name, done);
      },
    });
  } catch (error) {
    if (!(error instanceof CancelledError && unlike.signal.aborted)) throw error;
  }
  return unlike.signal.aborted ? undefined : results;
}

/** Everything but the tensors is as it should be. */
async function looksDone(folder: string, { shards, index }: OutputPlan, side: readonly SideFile[]): Promise<boolean> {
  for (const { file, layout } of shards) {
    const path = join(folder, file);
    if (statSync(path, { throwIfNoEntry: false })?.size !== layout.size) return false;
    const bytes = openFileBytes(path);
    try {
      const header = Buffer.alloc(layout.header.byteLength);
      bytes.readInto(header, 0);
      if (!header.equals(layout.header)) return false;
    } finally {
      await bytes.close();
    }
  }
  const at = index && join(folder, index.name);
  if (at !== undefined && !(existsSync(at) && readFileSync(at, "utf8") === index!.text)) return false;
  return unlikeSideFile(side, folder) === undefined;
}
