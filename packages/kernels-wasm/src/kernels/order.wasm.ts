/** What the first result of a comparison depends on, as whole numbers, so that floats and integers are compared alike. */
@unmanaged
export class Order {
  /** 1: elements are i32, 0: f32. */
  integer: i32;
  /** Bits that are turned over: 0 for the largest first, -1 for the smallest. */
  turn: i32;
  /** What stands for NaN. */
  nan: i32;
}

/** Four neighbours as numbers in their order; 0 and -0 are equal. */
// @ts-ignore: decorator
@inline
export function rank4(order: Order, v: v128): v128 {
  const turn = i32x4.splat(order.turn);
  if (order.integer) return v128.xor(v, turn);
  const bits = f32x4.add(v, f32x4.splat(0));
  const ranks = v128.xor(bits, i32x4.shr_u(i32x4.shr_s(bits, 31), 1));
  return v128.bitselect(i32x4.splat(order.nan), v128.xor(ranks, turn), f32x4.ne(v, v));
}

export function rank(order: Order, at: usize): i32 {
  return i32x4.extract_lane(rank4(order, v128.load_splat<u32>(at)), 0);
}
