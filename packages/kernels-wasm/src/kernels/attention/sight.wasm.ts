import { MASKED } from "./rows.wasm";

/** What both directions of attention know of a call. */
@unmanaged
export class Sight {
  /** Query heads that share a key head, and key heads. */
  shared: i32;
  groups: i32;
  queries: i32;
  keys: i32;
  causal: i32;
  scale: f32;
  /** Bool, 0 if there is none; bytes from one batch entry, query and key to the next. */
  mask: usize;
  maskBatch: i32;
  maskQuery: i32;
  maskKey: i32;
  /** i32 per batch entry, 0 if all keys are valid. */
  lengths: usize;
}

/** What both directions of attention read: as `Rows` three times, under the names of the operands. */
@unmanaged
export class QueryKeyValue extends Sight {
  q: usize;
  qBatch: i32;
  qHead: i32;
  qRow: i32;
  qFormat: i32;
  qWidth: i32;
  k: usize;
  kBatch: i32;
  kHead: i32;
  kRow: i32;
  kFormat: i32;
  kWidth: i32;
  v: usize;
  vBatch: i32;
  vHead: i32;
  vRow: i32;
  vFormat: i32;
  vWidth: i32;
}

/** The valid keys of a batch entry as the data says, which may be any number. */
// @ts-ignore: decorator
@inline
export function lengthOf(sight: Sight, batch: i32): i32 {
  return sight.lengths ? load<i32>(sight.lengths + (<usize>batch << 2)) : sight.keys;
}

/** The query at position t sees none of the keys from here on. */
// @ts-ignore: decorator
@inline
export function sightOf(sight: Sight, length: i32, t: i32): i32 {
  return max(0, min(sight.keys, sight.causal ? length - sight.queries + t + 1 : length));
}

/** The same for any of the rows first … last of a slab. */
export function sightOfRows(sight: Sight, length: i32, first: i32, last: i32): i32 {
  const q = sight.queries;
  return sightOf(sight, length, first / q == last / q ? last % q : q - 1);
}

/** Where the mask of a query has key `k`, 0 if there is none. */
// @ts-ignore: decorator
@inline
export function maskRow(sight: Sight, batch: i32, t: i32, k: i32): usize {
  return sight.mask ? sight.mask + batch * sight.maskBatch + t * sight.maskQuery + k * sight.maskKey : 0;
}

/** All bits where keys k … k+3 are seen: those before `end` that the row of the mask does not hide. */
export function seen4(mask: usize, step: i32, k: i32, end: i32): v128 {
  const before = i32x4.lt_s(i32x4.add(i32x4.splat(k), i32x4(0, 1, 2, 3)), i32x4.splat(end));
  if (!mask) return before;
  let open = i32x4.splat(0);
  const at = mask + k * step;
  if (k < end) open = i32x4.replace_lane(open, 0, load<u8>(at));
  if (k + 1 < end) open = i32x4.replace_lane(open, 1, load<u8>(at + step));
  if (k + 2 < end) open = i32x4.replace_lane(open, 2, load<u8>(at + 2 * step));
  if (k + 3 < end) open = i32x4.replace_lane(open, 3, load<u8>(at + 3 * step));
  return i32x4.ne(open, i32x4.splat(0));
}
