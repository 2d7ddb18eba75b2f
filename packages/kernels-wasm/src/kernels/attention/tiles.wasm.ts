import { madd } from "../float.wasm";

/**
 * Four rows of C = A·B, or += with `accumulate`, in whole tiles of 8 columns up to `bytes` of a row. Rows of C are `cRow` bytes apart, rows of A
 * `aRow`, its columns `aStep`, rows of B `bRow`: A may lie either way in memory, and nothing is packed.
 */
export function product(a: usize, aRow: usize, aStep: usize, b: usize, bRow: usize, k: i32, c: usize, cRow: usize, bytes: usize, accumulate: bool): void {
  const depth = <usize>k * bRow;
  for (let stop = c + bytes; c < stop; c += 32, b += 32) {
    let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00;
    if (accumulate) {
      c00 = v128.load(c);
      c01 = v128.load(c, 16);
      c10 = v128.load(c + cRow);
      c11 = v128.load(c + cRow, 16);
      c20 = v128.load(c + 2 * cRow);
      c21 = v128.load(c + 2 * cRow, 16);
      c30 = v128.load(c + 3 * cRow);
      c31 = v128.load(c + 3 * cRow, 16);
    }
    let a0 = a, a1 = a + aRow, a2 = a1 + aRow, a3 = a2 + aRow;
    for (let p = b, end = b + depth; p < end; p += bRow) {
      const b0 = v128.load(p);
      const b1 = v128.load(p, 16);
      let x = v128.load_splat<u32>(a0);
      c00 = madd(x, b0, c00);
      c01 = madd(x, b1, c01);
      x = v128.load_splat<u32>(a1);
      c10 = madd(x, b0, c10);
      c11 = madd(x, b1, c11);
      x = v128.load_splat<u32>(a2);
      c20 = madd(x, b0, c20);
      c21 = madd(x, b1, c21);
      x = v128.load_splat<u32>(a3);
      c30 = madd(x, b0, c30);
      c31 = madd(x, b1, c31);
      a0 += aStep;
      a1 += aStep;
      a2 += aStep;
      a3 += aStep;
    }
    v128.store(c, c00);
    v128.store(c, c01, 16);
    v128.store(c + cRow, c10);
    v128.store(c + cRow, c11, 16);
    v128.store(c + 2 * cRow, c20);
    v128.store(c + 2 * cRow, c21, 16);
    v128.store(c + 3 * cRow, c30);
    v128.store(c + 3 * cRow, c31, 16);
  }
}
