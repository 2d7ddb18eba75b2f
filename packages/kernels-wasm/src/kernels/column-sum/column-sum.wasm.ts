import { scratch } from "../env.wasm";
import { BF16, BF16_CODE, F16, F16_CODE, load1, load4 } from "../float.wasm";

@unmanaged
class ColumnSumArgs {
  /** f32 */
  y: usize;
  /** [rows, n] */
  x: usize;
  rows: i32;
  n: i32;
  /** Of x. */
  format: i32;
}

/** Sums of eight rows at a time in f32, as a tree, and those in f64: the error is that of three additions, however long the columns are. */
// @ts-ignore: decorator
@inline
function addRows<T>(args: ColumnSumArgs, start: i32, end: i32): void {
  const size = sizeof<T>();
  const n = args.n;
  const rows = args.rows;
  const step = <usize>n * size;
  for (let item = start; item < end; item++) {
    const first = item << 8;
    const last = min(n, first + 256);
    // An f64 for each of the columns.
    const sums = scratch - (<usize>first << 3);
    memory.fill(scratch, 0, <usize>(last - first) << 3);
    const ragged = first + ((last - first) & ~3);
    for (let r = 0; r < rows; r += 8) {
      const row = args.x + <usize>r * step;
      const whole = r + 8 <= rows;
      for (let j = first; j < ragged; j += 4) {
        const at = row + <usize>j * size;
        let s: v128;
        if (whole) {
          const a = f32x4.add(load4<T>(at), load4<T>(at + step));
          const b = f32x4.add(load4<T>(at + 2 * step), load4<T>(at + 3 * step));
          const c = f32x4.add(load4<T>(at + 4 * step), load4<T>(at + 5 * step));
          const d = f32x4.add(load4<T>(at + 6 * step), load4<T>(at + 7 * step));
          s = f32x4.add(f32x4.add(a, b), f32x4.add(c, d));
        } else {
          s = load4<T>(at);
          for (let i = 1; i < rows - r; i++) s = f32x4.add(s, load4<T>(at + <usize>i * step));
        }
        const to = sums + (<usize>j << 3);
        v128.store(to, f64x2.add(v128.load(to), f64x2.promote_low_f32x4(s)));
        v128.store(to, f64x2.add(v128.load(to, 16), f64x2.promote_low_f32x4(i8x16.shuffle(s, s, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15))), 16);
      }
      for (let j = ragged; j < last; j++) {
        let s: f64 = 0;
        for (let i = 0; i < min(8, rows - r); i++) s += <f64>load1<T>(row + <usize>i * step + <usize>j * size);
        const to = sums + (<usize>j << 3);
        store<f64>(to, load<f64>(to) + s);
      }
    }
    for (let j = first; j < last; j++) store<f32>(args.y + (<usize>j << 2), <f32>load<f64>(sums + (<usize>j << 3)));
  }
}

/** y = Σᵣ x[r, ·]. An item is 256 columns. */
export function columnSum(args: ColumnSumArgs, start: i32, end: i32): void {
  const code = args.format;
  if (code == BF16_CODE) addRows<BF16>(args, start, end);
  else if (code == F16_CODE) addRows<F16>(args, start, end);
  else addRows<f32>(args, start, end);
}
