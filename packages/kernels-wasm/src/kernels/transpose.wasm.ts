/** `lines` lines of n f32, `step` bytes apart, as n rows of `lines` f32 (a multiple of 4), `row` bytes apart. */
export function transpose(to: usize, row: usize, from: usize, step: usize, lines: i32, n: i32): void {
  for (let i = 0; i < lines; i += 4, to += 16, from += step << 2) {
    let at = from;
    let into = to;
    let p = 0;
    for (; p + 4 <= n; p += 4, at += 16) {
      const a = v128.load(at), b = v128.load(at + step), c = v128.load(at + 2 * step), d = v128.load(at + 3 * step);
      const ab0 = v128.shuffle<f32>(a, b, 0, 4, 1, 5), ab1 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
      const cd0 = v128.shuffle<f32>(c, d, 0, 4, 1, 5), cd1 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
      v128.store(into, v128.shuffle<i64>(ab0, cd0, 0, 2));
      v128.store((into += row), v128.shuffle<i64>(ab0, cd0, 1, 3));
      v128.store((into += row), v128.shuffle<i64>(ab1, cd1, 0, 2));
      v128.store((into += row), v128.shuffle<i64>(ab1, cd1, 1, 3));
      into += row;
    }
    for (; p < n; p++, at += 4, into += row) {
      for (let l = 0; l < 4; l++) store<f32>(into + (l << 2), load<f32>(at + l * step));
    }
  }
}

/** The sums of four vectors. */
// @ts-ignore: decorator
@inline
export function sums4(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<i64>(ab, cd, 0, 2), v128.shuffle<i64>(ab, cd, 1, 3));
}
