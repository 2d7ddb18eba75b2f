import type { DType } from "@weft/tensor-core";

/** An adapter to merge, with a factor on its effect. */
export interface AdapterArgument {
  readonly path: string;
  readonly scale: number;
}

/** What a merge depends on; plain data, so that worker threads get the same. */
export interface MergeOptions {
  readonly base: string;
  readonly adapters: readonly AdapterArgument[];
  /** Dtype that floats are stored as; the base's own if undefined. */
  readonly dtype: DType | undefined;
  readonly safe: boolean;
  /** Tied embeddings get weights of their own where an adapter changes one of the two. */
  readonly untie: boolean;
  readonly maxShardSize: number | undefined;
  readonly allowNonfinite: boolean;
  /** Take the adapters out instead of adding them. */
  readonly reverse: boolean;
  /** Bytes of a tile of a weight. */
  readonly tileBytes: number;
}

/** "./lora:0.8" → path and factor; a path may itself hold colons. */
export function parseAdapterArgument(text: string): AdapterArgument {
  const match = /^(.+):(-?\d+(?:\.\d+)?(?:e-?\d+)?)$/i.exec(text);
  return match ? { path: match[1]!, scale: Number(match[2]) } : { path: text, scale: 1 };
}

/** Memory that Node and the program take before anything is merged, and that each worker adds, measured; the rest goes to tiles. */
const FIXED_BYTES = 90e6;
const WORKER_BYTES = 22e6;
/** A tile is held as read and as written, and some of its kernels need as much again. */
const COPIES_PER_TILE = 4;

/** Bytes per tile such that `jobs` workers stay within `maxMemory`: 64 KiB at least, 4 MiB at most (larger ones gain nothing). */
export function tileBytesFor(maxMemory: number, jobs: number): number {
  const share = (maxMemory - FIXED_BYTES - jobs * WORKER_BYTES) / (jobs * COPIES_PER_TILE);
  return Math.max(64 << 10, Math.min(4 << 20, 2 ** Math.floor(Math.log2(Math.max(1, share)))));
}
