import { word } from "./env";

/** Where a kernel reports an index that is out of range: index, then a flag. The host reads it after the call. */
// @ts-ignore: decorator
@inline
function outOfRange(args: usize, index: i32): void {
  store<i32>(args, index);
  store<i32>(args, 1, 4);
}

/**
 * Rows by index. An item is one row of the result.
 *
 * args: 0 bad index, 1 flag, 2 result, 3 X, 4 indices (i32), 5 n (rows of X per outer), 6 indices, 7 bytes of a row.
 */
export function gatherRows(args: usize, start: i32, end: i32): void {
  const count = word(args, 6);
  const n = word(args, 5);
  const bytes = <usize>word(args, 7);
  for (let item = start; item < end; item++) {
    const outer = item / count;
    const index = load<i32>(word(args, 4) + ((item - outer * count) << 2));
    if (<u32>index >= <u32>n) {
      outOfRange(args, index);
      continue;
    }
    memory.copy(word(args, 2) + <usize>item * bytes, word(args, 3) + <usize>(outer * n + index) * bytes, bytes);
  }
}

/**
 * result[…, index, …] += updates, f32. An item is 64 columns of one outer block, so that repeated indices never meet.
 *
 * args: 0 bad index, 1 flag, 2 result, 3 updates, 4 indices (i32), 5 n, 6 indices, 7 columns (inner).
 */
export function scatterAdd(args: usize, start: i32, end: i32): void {
  const count = word(args, 6);
  const n = word(args, 5);
  const inner = word(args, 7);
  const blocks = (inner + 63) >> 6;
  for (let item = start; item < end; item++) {
    const outer = item / blocks;
    const first = (item - outer * blocks) << 6;
    const last = min(inner, first + 64);
    for (let i = 0; i < count; i++) {
      const index = load<i32>(word(args, 4) + (i << 2));
      if (<u32>index >= <u32>n) {
        outOfRange(args, index);
        continue;
      }
      const to = word(args, 2) + (<usize>(outer * n + index) * inner << 2);
      const from = word(args, 3) + (<usize>(outer * count + i) * inner << 2);
      let j = first;
      for (; j + 4 <= last; j += 4) v128.store(to + (j << 2), f32x4.add(v128.load(to + (j << 2)), v128.load(from + (j << 2))));
      for (; j < last; j++) store<f32>(to + (j << 2), load<f32>(to + (j << 2)) + load<f32>(from + (j << 2)));
    }
  }
}

/** Index of the first largest (sign 1) or smallest (-1) element, f32; the first NaN if there is one. args: 0 result (i32), 1 X, 2 n, 3 inner, 4 sign. */
export function argReduce(args: usize, start: i32, end: i32): void {
  const n = word(args, 2);
  const inner = word(args, 3);
  const sign = <f32>word(args, 4);
  for (let item = start; item < end; item++) {
    const outer = item / inner;
    const x = word(args, 1) + ((<usize>outer * n * inner + (item - outer * inner)) << 2);
    let best = 0;
    let top = sign * load<f32>(x);
    for (let i = 1; i < n; i++) {
      const v = sign * load<f32>(x + (<usize>i * inner << 2));
      if (v > top || (v != v && top == top)) {
        top = v;
        best = i;
      }
    }
    store<i32>(word(args, 0) + (item << 2), best);
  }
}

/** Running sums, f32 with an f64 accumulator. args: 0 result, 1 X, 2 n, 3 inner, 4 from the end. */
export function cumulate(args: usize, start: i32, end: i32): void {
  const n = word(args, 2);
  const inner = word(args, 3);
  const reverse = word(args, 4) != 0;
  for (let item = start; item < end; item++) {
    const outer = item / inner;
    const base = <usize>outer * n * inner + (item - outer * inner);
    let sum: f64 = 0;
    for (let i = 0; i < n; i++) {
      const at = (base + <usize>(reverse ? n - 1 - i : i) * inner) << 2;
      sum += <f64>load<f32>(word(args, 1) + at);
      store<f32>(word(args, 0) + at, <f32>sum);
    }
  }
}

// @ts-ignore: decorator
@inline
function turn(x: u32, y: u32, r: i32): u32 {
  return rotl<u32>(y, r) ^ x;
}

/** Threefry-2x32, 20 rounds; an item is one counter (two words). args: 0 result, 1 key (two words), 2 words wanted. */
export function threefry(args: usize, start: i32, end: i32): void {
  const k0 = load<u32>(word(args, 1));
  const k1 = load<u32>(word(args, 1), 4);
  const k2 = k0 ^ k1 ^ 0x1bd11bda;
  for (let item = start; item < end; item++) {
    let x: u32 = <u32>item + k0;
    let y: u32 = k1;
    for (let group = 0; group < 5; group++) {
      const even = (group & 1) == 0;
      x += y; y = turn(x, y, even ? 13 : 17);
      x += y; y = turn(x, y, even ? 15 : 29);
      x += y; y = turn(x, y, even ? 26 : 16);
      x += y; y = turn(x, y, even ? 6 : 24);
      const s = group + 1;
      const a = s % 3;
      x += a == 0 ? k0 : a == 1 ? k1 : k2;
      y += (a == 0 ? k1 : a == 1 ? k2 : k0) + s;
    }
    const to = word(args, 0) + (item << 3);
    store<u32>(to, x);
    if ((item << 1) + 1 < word(args, 2)) store<u32>(to, y, 4);
  }
}
