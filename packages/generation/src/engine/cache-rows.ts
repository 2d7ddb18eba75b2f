import type { CausalLM, LayerCache } from "@weft/models";
import { concat, gather, slice, type Tensor } from "@weft/tensor-core";
import { LONGEST_PIECE } from "./pieces.js";

/** Sequences, and positions of each. */
export interface CacheShape {
  readonly batch: number;
  readonly capacity: number;
}

/** The axis of keys and values along which positions lie. */
const POSITIONS = 2;

/** By so many positions a sequence may go back in layers that keep a window alone: by those at least that a piece is filled up with, or that are guessed. */
export const REWIND: number = LONGEST_PIECE / 4;

/** A cache with nothing in it. */
const emptyCache = (model: CausalLM, { batch, capacity }: CacheShape): readonly LayerCache[] =>
  model.emptyCache({ batch, capacity, rewind: REWIND });

/** Whether a model's cache has a place for each position. The states of a recurrence do not grow with what they are asked to hold. */
export function holdsPositions(model: CausalLM): boolean {
  const [small, large] = [1, 2].map((capacity) => emptyCache(model, { batch: 1, capacity })[0]!);
  return Object.keys(small!).some((name) => small![name]!.size !== large![name]!.size);
}

/** So many positions of a sequence are held in every layer of a model that holds them: Infinity unless there are windows. */
export function positionsKept(model: CausalLM): number {
  const beyond = 2 ** 30;
  const least = Math.min(...emptyCache(model, { batch: 1, capacity: beyond }).map((layer) => Object.values(layer)[0]!.shape[POSITIONS]!));
  return least < beyond ? least : Infinity;
}

/** A cache of another shape, of as many positions at least: its rows in the order of `rows` (i32 [rows]; all as they are if not given), then empty ones; positions that are not there yet are empty. */
export function changedRows(
  model: CausalLM,
  cache: readonly LayerCache[],
  to: CacheShape,
  rows: Tensor | undefined,
): readonly LayerCache[] {
  return emptyCache(model, to).map((empty, i) =>
    Object.fromEntries(
      Object.entries(empty).map(([name, room]) => {
        const held = cache[i]?.[name];
        if (!held || rows?.size === 0) return [name, room];
        const before = rows ? gather(held, rows, 0) : held;
        return [name, behind(positioned(before, room), room)];
      }),
    ),
  );
}

/** A cache's tensor with as many positions as `room` has. A layer with a window that has room for more has never come round: all it holds lies in order. */
function positioned(before: Tensor, room: Tensor): Tensor {
  const [have, want] = [before.shape[POSITIONS], room.shape[POSITIONS]];
  if (have === want || have === undefined || want === undefined) return before;
  return concat([before, slice(room, [[0, before.shape[0]!], undefined, [have, want]])], POSITIONS);
}

/** A cache's tensor with as many rows as `room` has. */
function behind(before: Tensor, room: Tensor): Tensor {
  const [have, want] = [before.shape[0]!, room.shape[0]!];
  return have === want ? before : concat([before, slice(room, [[have, want]])], 0);
}

/** Frees what a cache holds and another one does not. */
export function freeCache(cache: readonly LayerCache[], other: readonly LayerCache[] = []): void {
  const kept = new Set(other.flatMap((layer) => Object.values(layer)));
  for (const layer of cache) for (const t of Object.values(layer)) if (!kept.has(t)) t.dispose();
}
