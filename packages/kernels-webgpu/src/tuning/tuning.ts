import { ConfigError } from "@weft/tensor-core";

/** A workgroup's tile of a product: `threads`² threads, each with `blocks`² blocks of 4×4, `depth` steps of k in workgroup memory. */
export interface TileSize {
  readonly threads: number;
  readonly blocks: number;
  readonly depth: number;
}

/** The numbers that the best code of a kernel depends on, and that differ from GPU to GPU. They are part of the WGSL. */
export interface Tuning {
  readonly gemm: {
    /** From the largest tile to the smallest. */
    readonly tiles: readonly TileSize[];
    /** Workgroups that a tile must leave, else the next smaller one is taken. */
    readonly enoughGroups: number;
  };
  /** Threads of a workgroup of products with few rows. */
  readonly gemv: { readonly threads: number };
  /** Threads of a workgroup that reduces a row. */
  readonly rows: { readonly threads: number };
}

/** For a GPU that nobody has tuned for. Everything fits into 16 KiB and 256 threads, which every device has. */
export const DEFAULT_TUNING: Tuning = {
  gemm: {
    tiles: [
      { threads: 16, blocks: 2, depth: 8 },
      { threads: 16, blocks: 1, depth: 16 },
      { threads: 8, blocks: 1, depth: 16 },
    ],
    enoughGroups: 96,
  },
  gemv: { threads: 256 },
  rows: { threads: 256 },
};

/** What a tuning must fit into. */
export interface TuningLimits {
  readonly maxInvocations: number;
  readonly maxWorkgroupBytes: number;
}

/** Bytes of workgroup memory of a tile: both factors, a vec4 of padding per line. */
export function tileBytes({ threads, blocks, depth }: TileSize): number {
  return 2 * (threads * blocks + 1) * depth * 16;
}

const isPower = (n: unknown, least: number, most: number): n is number =>
  typeof n === "number" && Number.isInteger(Math.log2(n)) && n >= least && n <= most;

/**
 * Reads a tuning from data of anybody's making.
 * @throws ConfigError naming the field that is missing, no such number, or too large for the device
 */
export function parseTuning(value: unknown, limits: TuningLimits): Tuning {
  const fail = (field: string, found: unknown): never => {
    throw new ConfigError(`tuning: ${field} is ${JSON.stringify(found)}`, { kind: "tuning" });
  };
  const at = (from: unknown, key: string): unknown => (from as Record<string, unknown> | null | undefined)?.[key];
  const tiles = at(at(value, "gemm"), "tiles");
  if (!Array.isArray(tiles) || tiles.length === 0) return fail("gemm.tiles", tiles);
  for (const tile of tiles as TileSize[]) {
    const sizes = isPower(tile?.threads, 4, 16) && isPower(tile.blocks, 1, 4) && isPower(tile.depth, 4, 64);
    if (!sizes || tile.threads ** 2 > limits.maxInvocations || tileBytes(tile) > limits.maxWorkgroupBytes) fail("a tile of gemm", tile);
  }
  const enoughGroups = at(at(value, "gemm"), "enoughGroups");
  if (!Number.isInteger(enoughGroups) || (enoughGroups as number) < 1) fail("gemm.enoughGroups", enoughGroups);
  const threads = (kernel: string): number => {
    const n = at(at(value, kernel), "threads");
    return isPower(n, 32, limits.maxInvocations) ? n : fail(`${kernel}.threads`, n);
  };
  return {
    gemm: {
      tiles: (tiles as TileSize[]).map((t) => ({ threads: t.threads, blocks: t.blocks, depth: t.depth })),
      enoughGroups: enoughGroups as number,
    },
    gemv: { threads: threads("gemv") },
    rows: { threads: threads("rows") },
  };
}
