import { join } from "node:path";
import { type MergeJobOptions, mergeInput, planResources } from "./merge-options.js";
import { localPath, openCheckpoint } from "./open-input.js";
import { changedOthers, isPipeline, otherFiles, pipelineParts } from "./pipeline.js";
import { type MergeInput, prepareMerge } from "./prepare.js";
import { tensorsMade } from "./compute-tensors.js";
import { openGgufPath } from "@weft/io-gguf/node";
import { isGgufPath } from "./open-merge-base.js";
import { runTask } from "./run-task.js";
import type { ComparedWith } from "./verify-sink.js";

/** What was merged, how, and what is compared with it. */
export interface VerifyOptions extends Omit<MergeJobOptions, "maxShardSize"> {
  /** The checkpoint that a merge wrote. */
  readonly merged: string;
}

/** A tensor or file that is not what merging gives, and how it is not. */
export interface Difference {
  readonly name: string;
  readonly what: string;
}

/** What comparing a merge with its result gave. */
export interface VerifyResult {
  /** Tensors that merging gives. */
  readonly tensors: number;
  /** Those that are unlike, by name. */
  readonly different: readonly Difference[];
}

/**
 * Merges again in memory and compares with what a merge wrote, bit for bit; of a pipeline the models that the adapters are for, and the bytes of all
 * other files.
 * @throws as `mergeCheckpoint`, but for its output
 */
export async function verifyCheckpoint(options: VerifyOptions): Promise<VerifyResult> {
  const input = mergeInput("merge", options);
  const { base, merged } = options;
  if (!isPipeline(base)) return compareMerge(merged, input, options);
  const parts = await pipelineParts(input, options.methods);
  const others = changedOthers(base, otherFiles(base, new Set(parts.keys())), merged);
  const different: Difference[] = others.map((name) => ({ name, what: "is not the base's" }));
  let tensors = 0;
  for (const [part, own] of parts) {
    const compared = await compareMerge(join(merged, part), own, options);
    tensors += compared.tensors;
    different.push(...compared.different.map(({ name, what }) => ({ name: `${part}: ${name}`, what })));
  }
  return { tensors, different };
}

/** The tensors of what a merge wrote. */
interface Merged {
  names(): Iterable<string>;
  has(name: string): boolean;
  info(name: string): { readonly dtype: string; readonly shape: readonly number[]; readonly file: string; readonly offset: number };
  close(): Promise<void>;
}

async function openMerged(path: string): Promise<Merged> {
  if (!isGgufPath(path)) return openCheckpoint(path);
  const { tensors, close } = await openGgufPath(path);
  const info = (name: string): ReturnType<Merged["info"]> => ({ ...tensors.get(name)!, dtype: tensors.get(name)!.type });
  return { names: () => tensors.keys(), has: (name) => tensors.has(name), info, close };
}

async function compareMerge(path: string, input: MergeInput, options: VerifyOptions): Promise<VerifyResult> {
  const { signal, onProgress } = options;
  const merged = await openMerged(localPath(path));
  const prepared = await prepareMerge(input, options, signal).catch(async (error: unknown) => {
    await merged.close();
    throw error;
  });
  try {
    const { items } = prepared.output;
    const different: Difference[] = [];
    const expected = new Map(
      prepared.output.shards.flatMap(({ layout }) =>
        layout.tensors.map((tensor) => [tensor.name, { ...tensor, dtype: tensor.dtype ?? tensor.type! }]),
      ),
    );
    const unlike = (name: string): boolean => {
      const { dtype, shape } = expected.get(name)!;
      const there = merged.has(name) ? merged.info(name) : undefined;
      if (!there) different.push({ name, what: "is missing" });
      else if (there.dtype !== dtype || there.shape.join() !== shape.join())
        different.push({ name, what: `is ${there.dtype} [${there.shape.join(", ")}], expected ${dtype} [${shape.join(", ")}]` });
      else return false;
      return true;
    };
    const jobs = items.filter((job) => tensorsMade(job).filter(unlike).length === 0);
    for (const name of merged.names()) if (!expected.has(name)) different.push({ name, what: "is not part of the merge" });
    const total = jobs.reduce((sum, { bytes }) => sum + bytes, 0);
    const { jobs: threads, tileBytes, plans } = await planResources(prepared, options, false);
    const compareWith: ComparedWith = new Map(jobs.flatMap(tensorsMade).map((name) => [name, merged.info(name)]));
    await runTask({
      task: {
        kind: "tensors",
        jobs,
        plans,
        values: prepared.values,
        outputs: [],
        compareWith,
        tileBytes,
        allowNonFinite: true,
        stats: false,
      },
      jobs: threads,
      signal,
      onProgress: (done) => onProgress?.({ phase: "verify", done, total }),
      onResult(_, { difference }) {
        if (difference)
          different.push({
            name: difference.name,
            what: `has other values: ${difference.bytes} bytes differ, the first at byte ${difference.first}`,
          });
      },
    });
    different.sort((a, b) => (a.name < b.name ? -1 : 1));
    return { tensors: items.length, different };
  } finally {
    await Promise.all([merged.close(), prepared.close()]);
  }
}
