import { bytesPerElement, CapabilityError, type MethodTable } from "@weft/tensor-core";
import { type Item, rowsOf, type Stored } from "./item.js";
import { type Claims, coreDType, itemPasses } from "./tile-graph.js";
import { planTile, type TilePlan } from "./tile-plan.js";

/** Bytes that are read at a time for a sum over all rows: fixed, because the sum must not depend on the memory that a run may take. */
const SUM_BYTES = 256 << 10;

/** How an item is computed by rows of its tensor. */
export interface ItemPlan {
  /** Rows of a full tile. */
  readonly rows: number;
  /** Tiles would be smaller, but rows of the result need other rows of the tensor: it is computed in one piece. */
  readonly onePiece: boolean;
  /** The plan of tiles of `rows`. */
  readonly tile: TilePlan;
  /** The plan of a tile with fewer rows, which comes last. */
  rest(rows: number): TilePlan;
  /** Sums over all rows that are found before. */
  readonly sums: readonly RowSumPlan[];
  /** Bytes that a worker holds at most while it computes the item: its parameters, tiles and what lies between. */
  readonly bytes: number;
}

export interface RowSumPlan {
  /** Values in the sum. */
  readonly size: number;
  readonly rows: number;
  /** The plan that adds up `rows` rows. */
  part(rows: number): TilePlan;
}

/** Everything that the plan of an item depends on. */
export function signature(item: Item): string {
  const stored = ({ dtype, shape }: Stored): unknown => [dtype, shape];
  // Where in the tensor a section lies makes no difference.
  const steps = item.steps.map(({ params, place, ...rest }) => [
    rest,
    place && { ...place, within: undefined },
    Object.entries(params).map(([name, s]) => [name, stored(s)]),
  ]);
  return JSON.stringify([stored(item.source), item.weight && stored(item.weight), item.dtype, steps]);
}

/**
 * Rows of tiles near `aim`, so that no tile has a few rows unless the tensor has: products of up to 4 rows run on another kernel, whose sums round
 * differently, and the result must not depend on the tiles. Whole experts of a mixture are products of their own.
 */
function tileRowsOf(item: Item, aim: number): number {
  const total = item.shape[0] ?? 1;
  if (aim >= total) return total;
  if (item.shape.length === 3 && item.steps.every(({ layer }) => layer.kind === "parameter")) return aim;
  for (let rows = Math.max(8, aim - (aim % 4)); rows >= 8 && rows < total; rows -= 4)
    if (total % rows === 0 || total % rows > 4) return rows;
  return total;
}

/** @param tileBytes aim for the larger of a tile's input and output */
export function planItem(item: Item, methods: MethodTable, tileBytes: number, stats: boolean, claims: Claims): ItemPlan {
  const total = item.shape[0] ?? 1;
  const passes = itemPasses(item, methods, stats, claims);
  const [inRow, outRow] = [rowsOf(item), item].map(
    ({ shape, dtype }) => shape.slice(1).reduce((a, b) => a * b, 1) * bytesPerElement(coreDType(dtype)),
  ) as [number, number];
  const aim = (bytes: number): number => Math.max(1, Math.floor(bytes / Math.max(1, inRow, outRow)));
  const made = new Map<string, TilePlan | undefined>();
  const planned = (key: string, make: () => TilePlan | undefined): TilePlan | undefined => {
    if (!made.has(key)) made.set(key, make());
    return made.get(key);
  };
  const tileOf = (rows: number): TilePlan | undefined => planned(`rows ${rows}`, () => planTile(total, rows, passes.tile));
  const sums = passes.sums.map((size, k): RowSumPlan => {
    const part = (n: number): TilePlan | undefined =>
      planned(`sum ${k} ${n}`, () => planTile(total, n, (start, stop) => passes.sum(k, start, stop)));
    const rows = tileRowsOf(item, aim(SUM_BYTES));
    return { size, rows: part(rows) ? rows : total, part: (n) => part(n) ?? fail(item) };
  });
  const wanted = tileRowsOf(item, aim(tileBytes));
  const rows = tileOf(wanted) ? wanted : total;
  const tile = tileOf(rows) ?? fail(item);
  // One tile is written while the next is computed.
  const bytes = Math.max(tile.plan.peakBytes + rows * outRow, ...sums.map((sum) => sum.part(sum.rows).plan.peakBytes));
  return { rows, onePiece: rows !== wanted, tile, rest: (n) => tileOf(n) ?? fail(item), sums, bytes };
}

function fail(item: Item): never {
  throw new CapabilityError(`${item.name}: this change has no plan`, { kind: "internal", tensor: item.name });
}
