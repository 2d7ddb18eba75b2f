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
