import type { OutputFiles } from "../plan/layout.js";
import { runTask } from "./run-task.js";
import type { ResultOf, WorkerTask } from "./worker-task.js";

export interface WriteShardsOptions<T extends WorkerTask, Item extends { readonly shard: number }> {
  readonly shards: OutputFiles["shards"];
  /** What the files are made of. */
  readonly items: readonly Item[];
  /** Files that are left as they are, by index. */
  readonly finished: ReadonlySet<number>;
  /** The task of those items that are to be done. */
  task(todo: readonly Item[]): T;
  /** The hashes of the tensors that an item has become. */
  hashesOf(item: Item, result: ResultOf<T>): Iterable<readonly [name: string, sha256: string]>;
  /** Threads. */
  readonly jobs: number;
  readonly signal: AbortSignal | undefined;
  onProgress(bytes: number): void;
  /** An item is in its file. */
  onItem?(item: Item, result: ResultOf<T>): void;
  /** Gives a file that is complete its name. @returns its digest */
  commit(shard: number, hashes: ReadonlyMap<string, string>): Promise<string>;
}

/** Computes the items of those files that are not finished, each of which gets its name as soon as it is complete. @returns digests by file @throws as `runTask` */
export async function writeShards<T extends WorkerTask, Item extends { readonly shard: number }>(
  options: WriteShardsOptions<T, Item>,
): Promise<ReadonlyMap<string, string>> {
  const { shards, items, finished, jobs, signal, onProgress, commit } = options;
  const digests = new Map<string, string>();
  const hashes = new Map<string, string>();
  const todo = items.filter(({ shard }) => !finished.has(shard));
  const open = new Map<number, number>();
  for (const { shard } of todo) open.set(shard, (open.get(shard) ?? 0) + 1);
  const done = async (shard: number): Promise<void> => void digests.set(shards[shard]!.file, await commit(shard, hashes));
  await runTask<T>({
    task: options.task(todo),
    jobs,
    signal,
    onProgress,
    async onResult(index, result) {
      const item = todo[index]!;
      options.onItem?.(item, result);
      for (const [name, sha256] of options.hashesOf(item, result)) hashes.set(name, sha256);
      open.set(item.shard, open.get(item.shard)! - 1);
      if (open.get(item.shard) === 0) await done(item.shard);
    },
  });
  // A file without tensors has none that would complete it.
  for (const [shard, { layout }] of shards.entries()) if (layout.tensors.length === 0 && !finished.has(shard)) await done(shard);
  return digests;
}
