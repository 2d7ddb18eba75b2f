import type { CausalLM, LayerCache } from "@weft/models";
import { concat, gather, slice, type Tensor } from "@weft/tensor-core";

/** Sequences, and positions of each. */
export interface CacheShape {
  readonly batch: number;
  readonly capacity: number;
}

/** The axis of keys and values along which positions lie. */
const POSITIONS = 2;

/** Whether a model's cache has a place for each position. The states of a recurrence do not grow with what they are asked to hold. */
export function holdsPositions(model: CausalLM): boolean {
  const [small, large] = [1, 2].map((capacity) => model.emptyCache({ batch: 1, capacity })[0]!);
  return Object.keys(small!).some((name) => small![name]!.size !== large![name]!.size);
}

/** A cache of another shape: its rows in the order of `rows` (i32 [rows]; all as they are if not given), then empty ones; positions that are not there yet are empty. */
export function changedRows(
  model: CausalLM,
  cache: readonly LayerCache[],
  to: CacheShape,
  rows: Tensor | undefined,
): readonly LayerCache[] {
  return model.emptyCache({ batch: to.batch, capacity: to.capacity }).map((empty, i) =>
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

/** A cache's tensor with as many positions as `room` has. */
function positioned(before: Tensor, room: Tensor): Tensor {
  const [have, want] = [before.shape[POSITIONS], room.shape[POSITIONS]];
  if (have === want || have === undefined || want === undefined) return before;
  const whole = [undefined, undefined];
  if (have > want) return slice(before, [...whole, [0, want]]);
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
