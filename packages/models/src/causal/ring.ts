import { add, cast, concat, gather, iota, less, minimum, mod, reshape, slice, sub, type Tensor, where } from "@weft/tensor-core";
import { startsOf, written } from "./cache.js";

/*
 * What a layer with a window keeps of a sequence: position s lies at place s mod size, until the one `size` behind it takes that place. What was written too far ahead
 * (guesses that proved wrong, padding on the right) counts as what lay there before, which is out of the window as long as it was no more than size - window positions.
 */

/** The positions that lie at the places of a ring of `size` when there are `end` of them (i32 [] or [batch]): [batch or 1, size], negative where there is none yet. */
export function positionsInRing(size: number, end: Tensor): Tensor {
  const last = sub(reshape(end, [-1, 1]), 1);
  return sub(last, mod(sub(last, iota([1, size], 1)), size));
}

/** A ring of keys or values [batch, heads, size, width] with those of a pass, [batch, heads, length, width], from position `start` on (i32 [] or [batch]). */
export function intoRing(ring: Tensor, own: Tensor, start: Tensor): Tensor {
  const size = ring.shape[2]!;
  const length = own.shape[2]!;
  if (length === 1) return written(ring, own, startsOf(mod(start, size)));
  // Of what goes to one place, the last stays.
  const beyond = Math.max(0, length - size);
  const kept = cast(beyond > 0 ? slice(own, [undefined, undefined, [beyond, length]]) : own, ring.dtype);
  const count = length - beyond;
  const offsets = mod(sub(iota([1, size], 1), reshape(add(start, beyond), [-1, 1])), size);
  const isNew = less(reshape(offsets, [-1, 1, size, 1]), count);
  return where(isNew, turned(kept, minimum(offsets, count - 1)), ring);
}

const row = (t: Tensor, i: number): Tensor => slice(t, [[i, i + 1]]);

/** Keys or values [batch, heads, length, width] by their numbers [batch or 1, size]: [batch, heads, size, width]. */
function turned(own: Tensor, numbers: Tensor): Tensor {
  const [rows, size] = numbers.shape as [number, number];
  if (rows === 1) return gather(own, reshape(numbers, [size]), 2);
  return concat(
    Array.from({ length: rows }, (_, i) => gather(row(own, i), reshape(row(numbers, i), [size]), 2)),
    0,
  );
}
