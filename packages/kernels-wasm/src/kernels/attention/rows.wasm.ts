import { F32_CODE } from "../float.wasm";
import { unpackLine } from "../product/pack-line.wasm";

/** What stands for the score of a key that is not seen: the smallest f32, as in the decomposition. */
export const MASKED: f32 = -3.4028234663852886e38;

/** Sizes in scratch memory: keys at a time, and the bytes from one row of scores to the next. */
export const KEYS: i32 = 64;
export const SCORE_PITCH: usize = 256;

/** Where the rows of an operand lie, [batch, head, row, width] with neighbours in a row; strides in bytes. */
@unmanaged
export class Rows {
  data: usize;
  batch: i32;
  head: i32;
  row: i32;
  format: i32;
  width: i32;
}

/** Bytes from row to row in scratch memory: whole tiles of 8 columns. */
// @ts-ignore: decorator
@inline
export function pitchOf(width: i32): usize {
  return <usize>((width + 7) & ~7) << 2;
}

/** Bytes of n rows that lie dense. */
// @ts-ignore: decorator
@inline
export function rowBytes(n: i32, width: i32, format: i32): usize {
  return <usize>(n * width) << (format == F32_CODE ? 2 : 1);
}

/** Row r of a slab, whose rows are those of several heads one after the other, `perHead` each. */
// @ts-ignore: decorator
@inline
export function rowAt(x: Rows, slab: usize, r: i32, perHead: i32): usize {
  const head = r / perHead;
  return slab + head * x.head + (r - head * perHead) * x.row;
}

/** Rows first … first+count-1 of a slab as f32, `pitch` bytes apart; what is between their ends and the pitch becomes zero. */
export function copyRows(to: usize, pitch: usize, x: Rows, slab: usize, first: i32, count: i32, perHead: i32): void {
  const width = x.width;
  for (let r = first; r < first + count; r++, to += pitch) {
    unpackLine(to, rowAt(x, slab, r, perHead), x.format, width);
    memory.fill(to + (<usize>width << 2), 0, pitch - (<usize>width << 2));
  }
}
