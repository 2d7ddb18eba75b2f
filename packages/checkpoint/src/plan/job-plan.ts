import { bytesPerElement, CapabilityError, type MethodTable } from "@weft/tensor-core";
import { rowsOf, type TensorJob, type TensorLocation } from "./tensor-job.js";
import { type Claims, coreDType, jobPasses } from "./tile-graph.js";
import { planTile, type TilePlan } from "./tile-plan.js";

/** Bytes that are read at a time for a sum over all rows: fixed, because the sum must not depend on the memory that a run may take. */
const SUM_BYTES = 256 << 10;

/** How a tensor is computed by rows. Plain data: made once, and handed to every thread. */
export interface JobPlan {
  /** Rows of a full tile. */
  readonly rows: number;
  /** Tiles would be smaller, but rows of the result need other rows of the tensor: it is computed in one piece. */
  readonly onePiece: boolean;
  readonly tile: TilePlan;
  /** The last tile, where it has fewer rows. */
  readonly rest: TilePlan | undefined;
  /** Sums over all rows that are found before. */
  readonly sums: readonly RowSumPlan[];
  /** Bytes that a thread holds at most while it computes the tensor: its parameters, tiles and what lies between. */
  readonly bytes: number;
}

export interface RowSumPlan {
  /** Values in the sum. */
  readonly size: number;
  /** Rows that are added up at a time, and the plan that does. */
  readonly rows: number;
  readonly part: TilePlan;
  /** The last rows, where they are fewer. */
  readonly rest: TilePlan | undefined;
}

/** Everything that the plan of a tensor depends on. */
export function signature(job: TensorJob): string {
  const stored = ({ dtype, shape }: TensorLocation): unknown => [dtype, shape];
  // Where in the tensor a section lies makes no difference.
  const steps = job.steps.map(({ params, place, ...rest }) => [
    rest,
    place && { ...place, within: undefined },
    Object.entries(params).map(([name, s]) => [name, stored(s)]),
  ]);
  return JSON.stringify([stored(job.source), job.weight && stored(job.weight), job.dtype, steps]);
}

/**
 * Rows of tiles near `aim`, so that no tile has a few rows unless the tensor has: products of up to 4 rows run on another kernel, whose sums round
 * differently, and the result must not depend on the tiles. Whole experts of a mixture are products of their own.
 */
function tileRowsOf(job: TensorJob, aim: number): number {
  const total = job.shape[0] ?? 1;
  if (aim >= total) return total;
  if (job.shape.length === 3 && job.steps.every(({ layer }) => layer.kind === "parameter")) return aim;
  for (let rows = Math.max(8, aim - (aim % 4)); rows >= 8 && rows < total; rows -= 4)
    if (total % rows === 0 || total % rows > 4) return rows;
  return total;
}

/** @param tileBytes aim for the larger of a tile's input and output */
export function planJob(job: TensorJob, methods: MethodTable, tileBytes: number, stats: boolean, claims: Claims): JobPlan {
  const total = job.shape[0] ?? 1;
  const passes = jobPasses(job, methods, stats, claims);
  const [inRow, outRow] = [rowsOf(job), job].map(
    ({ shape, dtype }) => shape.slice(1).reduce((a, b) => a * b, 1) * bytesPerElement(coreDType(dtype)),
  ) as [number, number];
  const aim = (bytes: number): number => Math.max(1, Math.floor(bytes / Math.max(1, inRow, outRow)));
  const tileOf = (rows: number): TilePlan | undefined => planTile(total, rows, passes.tile);
  const restOf = (rows: number, plan: (rows: number) => TilePlan | undefined): TilePlan | undefined =>
    total % rows === 0 ? undefined : (plan(total % rows) ?? fail(job));
  const sums = passes.sums.map((size, k): RowSumPlan => {
    const partOf = (n: number): TilePlan | undefined => planTile(total, n, (start, stop) => passes.sum(k, start, stop));
    const wanted = tileRowsOf(job, aim(SUM_BYTES));
    const found = partOf(wanted);
    const rows = found ? wanted : total;
    return { size, rows, part: found ?? partOf(total) ?? fail(job), rest: restOf(rows, partOf) };
  });
  const wanted = tileRowsOf(job, aim(tileBytes));
  const found = tileOf(wanted);
  const rows = found ? wanted : total;
  const tile = found ?? tileOf(total) ?? fail(job);
  // One tile is written while the next is computed.
  const bytes = Math.max(tile.plan.peakBytes + rows * outRow, ...sums.map(({ part }) => part.plan.peakBytes));
  return { rows, onePiece: rows !== wanted, tile, rest: restOf(rows, tileOf), sums, bytes };
}

function fail(job: TensorJob): never {
  throw new CapabilityError(`${job.name}: this change has no plan`, { kind: "internal", tensor: job.name });
}
