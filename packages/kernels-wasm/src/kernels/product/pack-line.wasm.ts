import { decode } from "../env.wasm";
import { BF16, BF16_CODE, F16, F16_CODE, F32_CODE, load1, lower4, upper4 } from "../float.wasm";

/**
 * A line of n elements of any format, `stride` apart, as f32: the one place where formats are unpacked, but for the inner loops that take one as it lies.
 * Each group of eight lands `group` bytes behind the one before. Of a packed matrix, lines of X excepted, elements of a line are neighbours and land side by side.
 */
export function packLine(to: usize, group: usize, from: usize, code: i32, stride: i32, n: i32): void {
  if (code == BF16_CODE) line<BF16>(to, group, from, stride, n);
  else if (code == F16_CODE) line<F16>(to, group, from, stride, n);
  else if (code == F32_CODE) line<f32>(to, group, from, stride, n);
  else decode(code, to, from, n);
}

function line<T>(to: usize, group: usize, from: usize, stride: i32, n: i32): void {
  const step = <usize>stride * sizeof<T>();
  let i = 0;
  if (stride == 1) {
    for (; i + 8 <= n; i += 8) {
      const eight = v128.load(from);
      v128.store(to, sizeof<T>() == 4 ? eight : lower4<T>(eight));
      v128.store(to, sizeof<T>() == 4 ? v128.load(from, 16) : upper4<T>(eight), 16);
      to += group;
      from += 8 * sizeof<T>();
    }
  }
  for (; i < n; i++) {
    store<f32>(to + ((i & 7) << 2), load1<T>(from));
    if ((i & 7) == 7) to += group;
    from += step;
  }
}

/** n elements that lie side by side, in any format, as f32. */
export function unpackLine(to: usize, from: usize, code: i32, n: i32): void {
  packLine(to, 32, from, code, 1, n);
}
