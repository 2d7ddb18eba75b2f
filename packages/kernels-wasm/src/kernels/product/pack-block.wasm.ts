import { scratch } from "../env.wasm";
import { elementBytes, F32_CODE } from "../float.wasm";
import { transpose } from "../transpose.wasm";
import { packLine, unpackLine } from "./pack-line.wasm";

/** Where lines that cannot be taken as they lie are unpacked: eight of this depth, at the end of the scratch memory. */
const DEPTH: i32 = 256;
const LINES: usize = 500 << 10;

/**
 * Packs `count` lines of k elements, of any format and strides (in elements), into strips of `width` (4 or 8) lines: [k][width] f32, `strip`
 * bytes from one to the next. Lines that are missing in the last strip are never looked at, so they hold anything.
 */
export function packBlock(to: usize, strip: usize, from: usize, code: i32, kStride: i32, stride: i32, k: i32, count: i32, width: i32): void {
  const size = elementBytes(code);
  if (stride == 1 && kStride != 1) {
    sideBySide(to, strip, from, code, kStride * size, k, count, width);
    return;
  }
  for (let p = 0; p < k; p += DEPTH) {
    const depth = min(DEPTH, k - p);
    let into = to + <usize>(p * width << 2);
    for (let i = 0; i < count; i += width, into += strip) {
      const lines = from + (i * stride + p * kStride) * size;
      if (code == F32_CODE && kStride == 1 && count - i >= width) {
        transpose(into, width << 2, lines, stride << 2, width, depth);
        continue;
      }
      for (let l = min(width, count - i) - 1; l >= 0; l--) packLine(scratch + LINES + l * (DEPTH << 2), 32, lines + l * stride * size, code, kStride, depth);
      transpose(into, width << 2, scratch + LINES, DEPTH << 2, width, depth);
    }
  }
}

/** Where the lines' elements lie side by side, they are copied row by row, so that each page and cache line is met once. */
function sideBySide(to: usize, strip: usize, from: usize, code: i32, kStep: usize, k: i32, count: i32, width: i32): void {
  for (let p = 0; p < k; p++) {
    let row = from;
    if (code != F32_CODE || (count & (width - 1)) != 0) {
      row = scratch + LINES;
      unpackLine(row, from, code, count);
    }
    let into = to;
    for (let i = 0; i < count; i += width) {
      v128.store(into, v128.load(row));
      if (width == 8) v128.store(into, v128.load(row, 16), 16);
      row += width << 2;
      into += strip;
    }
    to += width << 2;
    from += kStep;
  }
}
