import { BF16, BF16_CODE, F16, F16_CODE, load1, load4, madd } from "../float.wasm";

@unmanaged
class GemvArgs {
  /** f32 */
  x: usize;
  ldx: i32;
  w: usize;
  /** f32 */
  y: usize;
  m: i32;
  k: i32;
  n: i32;
  ldy: i32;
  ldw: i32;
  alpha: f32;
  accumulate: i32;
  /** Of W. */
  format: i32;
}

// @ts-ignore: decorator
@inline
function sum4(v: v128): f32 {
  return f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3));
}

// @ts-ignore: decorator
@inline
function put(to: usize, value: f32, accumulate: bool): void {
  store<f32>(to, accumulate ? load<f32>(to) + value : value);
}

/** Four dots at a time: y[m][n..n+4] = α · x[m] · rows n..n+4 of W, for every m while the rows are in the cache. */
// @ts-ignore: decorator
@inline
function dotRows<T>(args: GemvArgs, start: i32, end: i32): void {
  const size = sizeof<T>();
  const k = args.k;
  const m = args.m;
  const n = args.n;
  const alpha = args.alpha;
  const accumulate = args.accumulate != 0;
  const step = <usize>args.ldw * size;
  for (let item = start; item < end; item++) {
    const row = item << 2;
    const left = n - row;
    const w0 = args.w + row * step;
    const w1 = left > 1 ? w0 + step : w0;
    const w2 = left > 2 ? w1 + step : w0;
    const w3 = left > 3 ? w2 + step : w0;
    for (let i = 0; i < m; i++) {
      const x = <usize>args.x + <usize>i * (args.ldx << 2);
      let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
      let p = 0;
      for (; p + 4 <= k; p += 4) {
        const at = <usize>p * size;
        const v = v128.load(x + (p << 2));
        s0 = madd(v, load4<T>(w0 + at), s0);
        s1 = madd(v, load4<T>(w1 + at), s1);
        s2 = madd(v, load4<T>(w2 + at), s2);
        s3 = madd(v, load4<T>(w3 + at), s3);
      }
      let r0 = sum4(s0), r1 = sum4(s1), r2 = sum4(s2), r3 = sum4(s3);
      for (; p < k; p++) {
        const at = <usize>p * size;
        const v = load<f32>(x + (p << 2));
        r0 += v * load1<T>(w0 + at);
        r1 += v * load1<T>(w1 + at);
        r2 += v * load1<T>(w2 + at);
        r3 += v * load1<T>(w3 + at);
      }
      const y = <usize>args.y + <usize>i * (args.ldy << 2) + (row << 2);
      put(y, r0 * alpha, accumulate);
      if (left > 1) put(y + 4, r1 * alpha, accumulate);
      if (left > 2) put(y + 8, r2 * alpha, accumulate);
      if (left > 3) put(y + 12, r3 * alpha, accumulate);
    }
  }
}

/**
 * Y = α·X·Wᵀ (+ Y) for few rows of X; W has its k contiguous. An item is four rows of W.
 */
export function gemvDot(args: GemvArgs, start: i32, end: i32): void {
  const code = args.format;
  if (code == BF16_CODE) dotRows<BF16>(args, start, end);
  else if (code == F16_CODE) dotRows<F16>(args, start, end);
  else dotRows<f32>(args, start, end);
}

/**
 * Y = α·X·W (+ Y) for few rows of X; W is f32 and has its columns contiguous. Sums over eight rows of W at a time; an item is
 * 256 columns.
 */
export function gemvAxpy(args: GemvArgs, start: i32, end: i32): void {
  const size = 4;
  const k = args.k;
  const n = args.n;
  const alpha = args.alpha;
  const step = <usize>args.ldw * size;
  for (let i = 0; i < args.m; i++) {
    const x = <usize>args.x + <usize>i * (args.ldx << 2);
    const y = <usize>args.y + <usize>i * (args.ldy << 2);
    for (let item = start; item < end; item++) {
      const first = item << 8;
      const last = min(n, first + 256);
      if (args.accumulate == 0) memory.fill(y + (first << 2), 0, (last - first) << 2);
      for (let p = 0; p < k; p += 8) {
        const left = k - p;
        const w = args.w + <usize>p * step;
        const w1 = left > 1 ? w + step : w, w2 = left > 2 ? w + 2 * step : w, w3 = left > 3 ? w + 3 * step : w;
        const w4 = left > 4 ? w + 4 * step : w, w5 = left > 5 ? w + 5 * step : w, w6 = left > 6 ? w + 6 * step : w, w7 = left > 7 ? w + 7 * step : w;
        const at = x + (p << 2);
        const x0 = load<f32>(at) * alpha;
        const x1 = left > 1 ? load<f32>(at, 4) * alpha : 0, x2 = left > 2 ? load<f32>(at, 8) * alpha : 0, x3 = left > 3 ? load<f32>(at, 12) * alpha : 0;
        const x4 = left > 4 ? load<f32>(at, 16) * alpha : 0, x5 = left > 5 ? load<f32>(at, 20) * alpha : 0, x6 = left > 6 ? load<f32>(at, 24) * alpha : 0, x7 = left > 7 ? load<f32>(at, 28) * alpha : 0;
        let j = first;
        for (; j + 4 <= last; j += 4) {
          const o = <usize>j * size;
          let s = v128.load(y + (j << 2));
          let t = f32x4.mul(f32x4.splat(x1), v128.load(w1 + o));
          s = madd(f32x4.splat(x0), v128.load(w + o), s);
          t = madd(f32x4.splat(x3), v128.load(w3 + o), t);
          s = madd(f32x4.splat(x2), v128.load(w2 + o), s);
          t = madd(f32x4.splat(x5), v128.load(w5 + o), t);
          s = madd(f32x4.splat(x4), v128.load(w4 + o), s);
          t = madd(f32x4.splat(x7), v128.load(w7 + o), t);
          s = madd(f32x4.splat(x6), v128.load(w6 + o), s);
          v128.store(y + (j << 2), f32x4.add(s, t));
        }
      }
      const ragged = last & ~3;
      for (let p = 0; p < k; p++) {
        const v = load<f32>(x + (p << 2)) * alpha;
        for (let j = ragged; j < last; j++) put(y + (j << 2), v * load<f32>(args.w + <usize>p * step + <usize>j * size), true);
      }
    }
  }
}
