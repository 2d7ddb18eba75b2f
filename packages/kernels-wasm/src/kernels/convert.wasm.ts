import { BF16, BF16_CODE, F16, F16_CODE, store4 } from "./float.wasm";

function narrowTo<T>(to: usize, from: usize, n: i32): void {
  let j = 0;
  for (; j + 4 <= n; j += 4) store4<T>(to + j * sizeof<T>(), v128.load(from + (j << 2)));
  if (j == n) return;
  store4<T>(from, v128.load(from + (j << 2)));
  memory.copy(to + j * sizeof<T>(), from, (n - j) * sizeof<T>());
}

/** n f32 stored in a format. `from` may be read up to the next multiple of four, and is overwritten if n is none. */
export function narrow(to: usize, from: usize, format: i32, n: i32): void {
  if (format == BF16_CODE) narrowTo<BF16>(to, from, n);
  else if (format == F16_CODE) narrowTo<F16>(to, from, n);
  else memory.copy(to, from, n << 2);
}

/** Times a factor in place. */
export function scaleRows(x: usize, bytes: usize, by: f32): void {
  if (by == 1) return;
  const factor = f32x4.splat(by);
  for (let j: usize = 0; j < bytes; j += 16) v128.store(x + j, f32x4.mul(v128.load(x + j), factor));
}

/** A row of f32, which is overwritten, times a factor in any format. */
export function storeRow(to: usize, format: i32, from: usize, width: i32, factor: f32): void {
  scaleRows(from, <usize>((width + 3) & ~3) << 2, factor);
  narrow(to, from, format, width);
}
