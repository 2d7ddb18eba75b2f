// Four runs of numbers side by side, one in each lane: sums over a run then have the order of its numbers.

/** Numbers number i of four runs of `size`, one behind the other, as four lanes at to + 16 · i. `size` is a multiple of 4. */
export function runsToLanes(from: usize, to: usize, size: i32): void {
  const stride = <usize>size << 2;
  for (let i = 0; i < size; i += 4) {
    const a = v128.load(from);
    const b = v128.load(from + stride);
    const c = v128.load(from + 2 * stride);
    const d = v128.load(from + 3 * stride);
    const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
    const cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
    const abUpper = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
    const cdUpper = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<f32>(ab, cd, 0, 1, 4, 5));
    v128.store(to, v128.shuffle<f32>(ab, cd, 2, 3, 6, 7), 16);
    v128.store(to, v128.shuffle<f32>(abUpper, cdUpper, 0, 1, 4, 5), 32);
    v128.store(to, v128.shuffle<f32>(abUpper, cdUpper, 2, 3, 6, 7), 48);
    from += 16;
    to += 64;
  }
}
