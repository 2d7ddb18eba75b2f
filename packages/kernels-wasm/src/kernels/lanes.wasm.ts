// Four f32 side by side, of which the last may not be there.

/** The first n of four numbers, at most four; zeros in the place of the others. */
// @ts-ignore: decorator
@inline
export function loadLanes(at: usize, n: i32): v128 {
  if (n >= 4) return v128.load(at);
  let four = v128.load32_zero(at);
  if (n > 1) four = f32x4.replace_lane(four, 1, load<f32>(at, 4));
  if (n > 2) four = f32x4.replace_lane(four, 2, load<f32>(at, 8));
  return four;
}

/** Stores the first n of four numbers, at most four. */
// @ts-ignore: decorator
@inline
export function storeLanes(at: usize, four: v128, n: i32): void {
  if (n >= 4) {
    v128.store(at, four);
    return;
  }
  store<f32>(at, f32x4.extract_lane(four, 0));
  if (n > 1) store<f32>(at, f32x4.extract_lane(four, 1), 4);
  if (n > 2) store<f32>(at, f32x4.extract_lane(four, 2), 8);
}
