import { scratch } from "../env.wasm";

@unmanaged
class ArgSortArgs {
  /** i32 */
  result: usize;
  /** f32 or i32 */
  x: usize;
  /** Room for four words per element: keys and indices, and those of the other side. */
  room: usize;
  n: i32;
  inner: i32;
  descending: i32;
  /** Elements are i32, else f32. */
  whole: i32;
}

/** Lines up to this length are sorted by insertion, as counting has 256 counters to clear. */
const SHORT: i32 = 48;

/** A number that is ordered as the element is: NaN above all, both zeros alike. */
// @ts-ignore: decorator
@inline
function keyOf(bits: i32, whole: bool): u32 {
  let key = bits;
  if (!whole) {
    const size = bits & 0x7fffffff;
    if (size > 0x7f800000) key = 0x7fffffff;
    else if (size == 0) key = 0;
    else key = bits ^ ((bits >> 31) & 0x7fffffff);
  }
  return <u32>key ^ 0x80000000;
}

function insertion(keys: usize, indices: usize, n: i32): void {
  for (let i = 1; i < n; i++) {
    const key = load<u32>(keys + (<usize>i << 2));
    const index = load<i32>(indices + (<usize>i << 2));
    let j = i;
    for (; j > 0 && load<u32>(keys + (<usize>(j - 1) << 2)) > key; j--) {
      store<u32>(keys + (<usize>j << 2), load<u32>(keys + (<usize>(j - 1) << 2)));
      store<i32>(indices + (<usize>j << 2), load<i32>(indices + (<usize>(j - 1) << 2)));
    }
    store<u32>(keys + (<usize>j << 2), key);
    store<i32>(indices + (<usize>j << 2), index);
  }
}

/** One pass of a radix sort: by 8 bits of the key, stable. */
function pass(keys: usize, indices: usize, toKeys: usize, toIndices: usize, n: i32, shift: i32): void {
  memory.fill(scratch, 0, 1024);
  for (let i = 0; i < n; i++) {
    const counter = scratch + <usize>((load<u32>(keys + (<usize>i << 2)) >> shift) & 255) * 4;
    store<i32>(counter, load<i32>(counter) + 1);
  }
  let total = 0;
  for (let digit = 0; digit < 256; digit++) {
    const counter = scratch + (<usize>digit << 2);
    const count = load<i32>(counter);
    store<i32>(counter, total);
    total += count;
  }
  for (let i = 0; i < n; i++) {
    const key = load<u32>(keys + (<usize>i << 2));
    const counter = scratch + <usize>((key >> shift) & 255) * 4;
    const to = load<i32>(counter);
    store<i32>(counter, to + 1);
    store<u32>(toKeys + (<usize>to << 2), key);
    store<i32>(toIndices + (<usize>to << 2), load<i32>(indices + (<usize>i << 2)));
  }
}

/** Indices that put lines in order, stable: four passes by 8 bits. An item is one line. */
export function argSort(args: ArgSortArgs, start: i32, end: i32): void {
  const n = args.n;
  const inner = args.inner;
  const whole = args.whole != 0;
  const flip: u32 = args.descending != 0 ? 0xffffffff : 0;
  for (let item = start; item < end; item++) {
    const outer = item / inner;
    const base = <usize>outer * n * inner + (item - outer * inner);
    const room = args.room + <usize>item * n * 16;
    const keys = room;
    const indices = room + (<usize>n << 2);
    for (let i = 0; i < n; i++) {
      store<u32>(keys + (<usize>i << 2), keyOf(load<i32>(args.x + ((base + <usize>i * inner) << 2)), whole) ^ flip);
      store<i32>(indices + (<usize>i << 2), i);
    }
    if (n <= SHORT) insertion(keys, indices, n);
    else {
      const otherKeys = room + (<usize>n << 3);
      const otherIndices = otherKeys + (<usize>n << 2);
      for (let shift = 0; shift < 32; shift += 16) {
        pass(keys, indices, otherKeys, otherIndices, n, shift);
        pass(otherKeys, otherIndices, keys, indices, n, shift + 8);
      }
    }
    for (let i = 0; i < n; i++) store<i32>(args.result + ((base + <usize>i * inner) << 2), load<i32>(indices + (<usize>i << 2)));
  }
}
