import { scratch } from "../env.wasm";
import { BF16, BF16_CODE, elementBytes, F16, F16_CODE, F32_CODE, load1, lower4, madd, upper4 } from "../float.wasm";
import { sums4 } from "../transpose.wasm";
import { GemvArgs } from "./gemv-args.wasm";
import { packLine, unpackLine } from "./pack-line.wasm";

/** Depth of a block of rows: with one row of X, and where W stays in the L1 cache between uses, unpacked if need be. */
const DEEP: i32 = 16384;
const SHALLOW: i32 = 1024;
/** Places in the scratch memory: rows of X (at most 64 KiB), four rows of W. */
const X: usize = 0;
const W: usize = 64 << 10;

/** Y = α·X·Wᵀ (+ Y) for few rows of X; W has its k contiguous. An item is four rows of W. */
export function gemvDot(args: GemvArgs, start: i32, end: i32): void {
  const m = args.m;
  const size = elementBytes(args.formatW);
  const depth = m == 1 && size > 1 ? DEEP : SHALLOW;
  for (let item = start; item < end; ) {
    const batch = item / args.blocks;
    const offset = args.table + batch * 12;
    const first = item - batch * args.blocks;
    const last = min(end - item, args.blocks - first) + first;
    for (let k0 = 0; k0 < args.k; k0 += depth) {
      const k = min(depth, args.k - k0);
      const ldx = <usize>((k + 7) & ~7) << 2;
      packRows(args, args.x + load<usize>(offset), k0, k, ldx);
      for (let row = first << 2; row < last << 2; row += 4) {
        const w = args.w + load<usize>(offset, 4) + (row * args.ldw + k0) * size;
        const y = args.y + load<usize>(offset, 8) + (<usize>row * args.yColumn << 2);
        dotBlock(args, w, y, min(4, args.n - row), k, ldx, args.accumulate != 0 || k0 > 0);
      }
    }
    item += last - first;
  }
}

/** X [m][k] as f32 in the scratch memory. */
function packRows(args: GemvArgs, x: usize, k0: i32, k: i32, ldx: usize): void {
  const size = elementBytes(args.formatX);
  for (let i = 0; i < args.m; i++) {
    packLine(scratch + X + i * ldx, 32, x + (i * args.xRow + k0 * args.xK) * size, args.formatX, args.xK, k);
  }
}

/** `count` rows of W from `w` on. */
function dotBlock(args: GemvArgs, w: usize, y: usize, count: i32, k: i32, ldx: usize, accumulate: bool): void {
  const code = args.formatW;
  const size = elementBytes(code);
  let step = <usize>args.ldw * size;
  let x = scratch + X;
  if (args.m == 1 && size > 1) {
    if (code == BF16_CODE) single<BF16>(x, w, step, count, k, y, args, accumulate);
    else if (code == F16_CODE) single<F16>(x, w, step, count, k, y, args, accumulate);
    else single<f32>(x, w, step, count, k, y, args, accumulate);
    return;
  }
  if (code != F32_CODE) {
    for (let i = 0; i < count; i++) unpackLine(scratch + W + (<usize>i * SHALLOW << 2), w + i * step, code, k);
    w = scratch + W;
    step = SHALLOW << 2;
  }
  let i = 0;
  for (; i + 2 <= args.m; i += 2) {
    pair(x, ldx, w, step, count, k, y, args, accumulate);
    x += ldx << 1;
    y += <usize>args.yRow << 3;
  }
  if (i < args.m) single<f32>(x, w, step, count, k, y, args, accumulate);
}

/** Two rows of X with four of W. */
function pair(x: usize, ldx: usize, w0: usize, step: usize, left: i32, k: i32, y: usize, args: GemvArgs, accumulate: bool): void {
  let w1 = left > 1 ? w0 + step : w0, w2 = left > 2 ? w0 + 2 * step : w0, w3 = left > 3 ? w0 + 3 * step : w0;
  let x1 = x + ldx;
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, t0 = s0, t1 = s0, t2 = s0, t3 = s0;
  const end = x + (<usize>(k & ~3) << 2);
  for (; x < end; x += 16) {
    const u = v128.load(x);
    const v = v128.load(x1);
    let w = v128.load(w0);
    s0 = madd(u, w, s0);
    t0 = madd(v, w, t0);
    w = v128.load(w1);
    s1 = madd(u, w, s1);
    t1 = madd(v, w, t1);
    w = v128.load(w2);
    s2 = madd(u, w, s2);
    t2 = madd(v, w, t2);
    w = v128.load(w3);
    s3 = madd(u, w, s3);
    t3 = madd(v, w, t3);
    x1 += 16;
    w0 += 16;
    w1 += 16;
    w2 += 16;
    w3 += 16;
  }
  let s = sums4(s0, s1, s2, s3), t = sums4(t0, t1, t2, t3);
  for (let p = k & 3; p > 0; p--) {
    const w = f32x4(load<f32>(w0), load<f32>(w1), load<f32>(w2), load<f32>(w3));
    s = madd(v128.load_splat<u32>(x), w, s);
    t = madd(v128.load_splat<u32>(x1), w, t);
    x += 4;
    x1 += 4;
    w0 += 4;
    w1 += 4;
    w2 += 4;
    w3 += 4;
  }
  put(y, s, args, accumulate, left);
  put(y + (<usize>args.yRow << 2), t, args, accumulate, left);
}

/** One row of X with four of W, in two sums each: four would wait for one another. */
function single<T>(x: usize, w0: usize, step: usize, left: i32, k: i32, y: usize, args: GemvArgs, accumulate: bool): void {
  const size = sizeof<T>();
  let w1 = left > 1 ? w0 + step : w0, w2 = left > 2 ? w0 + 2 * step : w0, w3 = left > 3 ? w0 + 3 * step : w0;
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, t0 = s0, t1 = s0, t2 = s0, t3 = s0;
  const end = x + (<usize>(k & ~7) << 2);
  for (; x < end; x += 32) {
    const u = v128.load(x);
    const v = v128.load(x, 16);
    let w = v128.load(w0);
    s0 = madd(u, size == 4 ? w : lower4<T>(w), s0);
    t0 = madd(v, size == 4 ? v128.load(w0, 16) : upper4<T>(w), t0);
    w = v128.load(w1);
    s1 = madd(u, size == 4 ? w : lower4<T>(w), s1);
    t1 = madd(v, size == 4 ? v128.load(w1, 16) : upper4<T>(w), t1);
    w = v128.load(w2);
    s2 = madd(u, size == 4 ? w : lower4<T>(w), s2);
    t2 = madd(v, size == 4 ? v128.load(w2, 16) : upper4<T>(w), t2);
    w = v128.load(w3);
    s3 = madd(u, size == 4 ? w : lower4<T>(w), s3);
    t3 = madd(v, size == 4 ? v128.load(w3, 16) : upper4<T>(w), t3);
    w0 += 8 * size;
    w1 += 8 * size;
    w2 += 8 * size;
    w3 += 8 * size;
  }
  let s = sums4(f32x4.add(s0, t0), f32x4.add(s1, t1), f32x4.add(s2, t2), f32x4.add(s3, t3));
  for (let p = k & 7; p > 0; p--) {
    s = madd(v128.load_splat<u32>(x), f32x4(load1<T>(w0), load1<T>(w1), load1<T>(w2), load1<T>(w3)), s);
    x += 4;
    w0 += size;
    w1 += size;
    w2 += size;
    w3 += size;
  }
  put(y, s, args, accumulate, left);
}

/** The first `count` lanes, times α, to a row of Y. */
function put(y: usize, v: v128, args: GemvArgs, accumulate: bool, count: i32): void {
  v = f32x4.mul(v, f32x4.splat(args.alpha));
  if (args.yColumn == 1 && count == 4) {
    if (accumulate) v = f32x4.add(v, v128.load(y));
    v128.store(y, v);
    return;
  }
  const step = <usize>args.yColumn << 2;
  for (let i = 0; i < count; i++) {
    const value = f32x4.extract_lane(v, 0);
    store<f32>(y, accumulate ? load<f32>(y) + value : value);
    v = v128.shuffle<f32>(v, v, 1, 2, 3, 0);
    y += step;
  }
}
