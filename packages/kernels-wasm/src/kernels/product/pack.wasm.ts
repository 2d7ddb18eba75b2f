import { BF16, BF16_CODE, F16, F16_CODE, load1, load4 } from "../float.wasm";

// @ts-ignore: decorator
@inline
function transpose4(p: usize, step: usize, a: v128, b: v128, c: v128, d: v128): void {
  const ab0 = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
  const ab1 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
  const cd0 = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
  const cd1 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  v128.store(p, v128.shuffle<i64>(ab0, cd0, 0, 2));
  v128.store(p + step, v128.shuffle<i64>(ab0, cd0, 1, 3));
  v128.store(p + 2 * step, v128.shuffle<i64>(ab1, cd1, 0, 2));
  v128.store(p + 3 * step, v128.shuffle<i64>(ab1, cd1, 1, 3));
}

/**
 * Copies a strip of `width` (4 or 8) lines as [k][width] f32. Element (k, i) lies at from + k·kStep + i·step (bytes);
 * of the lines only `count` exist, the others become zeros.
 */
// @ts-ignore: decorator
@inline
function packStrip<T>(to: usize, from: usize, kStep: usize, step: usize, k: i32, count: i32, width: i32): void {
  const size = sizeof<T>();
  const line = <usize>width << 2;
  let p: i32 = 0;
  if (count == width && step == size) {
    for (; p < k; p++) {
      for (let i = 0; i < width; i += 4) v128.store(to + (<usize>i << 2), load4<T>(from + <usize>i * size));
      to += line;
      from += kStep;
    }
    return;
  }
  if (count == width && kStep == size) {
    for (; p + 4 <= k; p += 4) {
      for (let i = 0; i < width; i += 4) {
        const at = from + <usize>i * step;
        transpose4(to + (<usize>i << 2), line, load4<T>(at), load4<T>(at + step), load4<T>(at + 2 * step), load4<T>(at + 3 * step));
      }
      to += line << 2;
      from += kStep << 2;
    }
  }
  for (; p < k; p++) {
    for (let i = 0; i < width; i++) store<f32>(to + (<usize>i << 2), i < count ? load1<T>(from + <usize>i * step) : 0);
    to += line;
    from += kStep;
  }
}

/** Packs one strip from any of the formats. Strides count elements. */
export function pack(to: usize, from: usize, code: i32, kStride: i32, stride: i32, k: i32, count: i32, width: i32): void {
  if (code == BF16_CODE) packStrip<BF16>(to, from, kStride << 1, stride << 1, k, count, width);
  else if (code == F16_CODE) packStrip<F16>(to, from, kStride << 1, stride << 1, k, count, width);
  else packStrip<f32>(to, from, kStride << 2, stride << 2, k, count, width);
}

@unmanaged
class PackRightArgs {
  b: usize;
  kStride: i32;
  columnStride: i32;
  format: i32;
  packed: usize;
  k: i32;
  n: i32;
  strips: i32;
  /** Byte offsets (A, B, C) of each matrix. */
  table: usize;
}

/** Packs the right operand into strips of 8 columns, [strip][k][8] f32. An item is one strip of one matrix of the batch. */
export function packRight(args: PackRightArgs, start: i32, end: i32): void {
  const k = args.k;
  const n = args.n;
  const strips = args.strips;
  const stride = args.columnStride;
  const code = args.format;
  const step = stride << (code == 0 ? 2 : 1);
  for (let item = start; item < end; item++) {
    const batch = item / strips;
    const column = (item - batch * strips) << 3;
    const from = args.b + load<i32>(args.table + batch * 12 + 4) + column * step;
    pack(args.packed + item * (k << 5), from, code, args.kStride, stride, k, min(8, n - column), 8);
  }
}
