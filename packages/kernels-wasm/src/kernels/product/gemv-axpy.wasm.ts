import { scratch } from "../env.wasm";
import { BF16, BF16_CODE, elementBytes, F32_CODE, load4, madd } from "../float.wasm";
import { GemvArgs } from "./gemv-args.wasm";
import { packLine, unpackLine } from "./pack-line.wasm";

/** Places in the scratch memory: elements of X that a thread holds in f32 (128 KiB), the item's part of eight rows of W, and of Y. */
const HELD: i32 = 32768;
const W: usize = HELD << 2;
const Y: usize = 192 << 10;

/**
 * Y = α·X·W (+ Y) for few rows of X; W has its columns contiguous. An item is `columns` columns. Adds eight rows of W at a time to every row of Y, so
 * that W is read once; the rows of Y are side by side meanwhile, as their own distance may put them all into the same lines of the cache.
 */
export function gemvAxpy(args: GemvArgs, start: i32, end: i32): void {
  const m = args.m;
  const depth = (HELD / m) & ~7;
  const sizeX = elementBytes(args.formatX);
  const sizeW = elementBytes(args.formatW);
  const group = <usize>m << 5;
  for (let item = start; item < end; item++) {
    const batch = item / args.blocks;
    const offset = args.table + batch * 12;
    const j = (item - batch * args.blocks) * args.columns;
    const n = min(args.columns, args.n - j);
    const line = <usize>((n + 3) & ~3) << 2;
    memory.fill(scratch + Y, 0, m * line);
    for (let k0 = 0; k0 < args.k; k0 += depth) {
      const k = min(depth, args.k - k0);
      const x = args.x + load<usize>(offset) + k0 * args.xK * sizeX;
      for (let i = 0; i < m; i++) packLine(scratch + (<usize>i << 5), group, x + i * args.xRow * sizeX, args.formatX, args.xK, k);
      addRows(args.w + load<usize>(offset, 4) + (k0 * args.ldw + j) * sizeW, args.ldw * sizeW, args.formatW, m, n, k, line);
    }
    const y = args.y + load<usize>(offset, 8) + (<usize>j << 2);
    for (let i = 0; i < m; i++) put(y + (<usize>i * args.yRow << 2), scratch + Y + i * line, n, args.alpha, args.accumulate != 0);
  }
}

/** Y += X·W for k rows of W. */
function addRows(w: usize, step: usize, code: i32, m: i32, n: i32, k: i32, line: usize): void {
  let p = 0;
  for (; p + 8 <= k; p += 8, w += 8 * step) {
    const x = scratch + (<usize>p * m << 2);
    if (code == BF16_CODE) addEight<BF16>(w, step, m, n, x, line);
    else if (code == F32_CODE) addEight<f32>(w, step, m, n, x, line);
    else {
      for (let i = 0; i < 8; i++) unpackLine(scratch + W + i * line, w + i * step, code, n);
      addEight<f32>(scratch + W, line, m, n, x, line);
    }
    if (n & 3) columns(w, step, code, m, n & ~3, n, x, 8, line);
  }
  if (p < k) columns(w, step, code, m, 0, n, scratch + (<usize>p * m << 2), k - p, line);
}

/** Eight rows of W, but for the last columns; what is read of W stays in registers for all rows of X. */
function addEight<T>(w: usize, step: usize, m: i32, n: i32, x0: usize, line: usize): void {
  const size = sizeof<T>();
  const end = scratch + Y + (<usize>(n & ~3) << 2);
  for (let y = scratch + Y; y < end; y += 16, w += 4 * size) {
    let at = w;
    const a = load4<T>(at), b = load4<T>((at += step)), c = load4<T>((at += step)), d = load4<T>((at += step));
    const e = load4<T>((at += step)), f = load4<T>((at += step)), g = load4<T>((at += step)), h = load4<T>((at += step));
    let to = y;
    for (let x = x0, last = x0 + (<usize>m << 5); x < last; x += 32, to += line) {
      let s = madd(v128.load_splat<u32>(x), a, v128.load(to));
      let t = f32x4.mul(v128.load_splat<u32>(x, 4), b);
      s = madd(v128.load_splat<u32>(x, 8), c, s);
      t = madd(v128.load_splat<u32>(x, 12), d, t);
      s = madd(v128.load_splat<u32>(x, 16), e, s);
      t = madd(v128.load_splat<u32>(x, 20), f, t);
      s = madd(v128.load_splat<u32>(x, 24), g, s);
      t = madd(v128.load_splat<u32>(x, 28), h, t);
      v128.store(to, f32x4.add(s, t));
    }
  }
}

/** What is left over: columns j0 … n-1 of up to eight rows of W. */
function columns(w: usize, step: usize, code: i32, m: i32, j0: i32, n: i32, x: usize, rows: i32, line: usize): void {
  const count = n - j0;
  w += j0 * elementBytes(code);
  for (let p = 0; p < rows; p++, x += 4, w += step) {
    unpackLine(scratch + W, w, code, count);
    for (let i = 0; i < m; i++) {
      const v = v128.load_splat<u32>(x + (<usize>i << 5));
      let to = scratch + Y + i * line + (<usize>j0 << 2);
      // Lanes behind the last column are in the part of Y that rounds it up to four.
      for (let j = 0; j < count; j += 4, to += 16) v128.store(to, madd(v, v128.load(scratch + W + (<usize>j << 2)), v128.load(to)));
    }
  }
}

/** α times a line of Y to its place. */
function put(to: usize, from: usize, n: i32, alpha: f32, accumulate: bool): void {
  const scale = f32x4.splat(alpha);
  const end = to + (<usize>n << 2);
  for (; to + 16 <= end; to += 16, from += 16) {
    const value = f32x4.mul(v128.load(from), scale);
    v128.store(to, accumulate ? f32x4.add(v128.load(to), value) : value);
  }
  for (; to < end; to += 4, from += 4) {
    const value = load<f32>(from) * alpha;
    store<f32>(to, accumulate ? load<f32>(to) + value : value);
  }
}
