/** Arguments of the products for few rows of X. */
@unmanaged
export class GemvArgs {
  x: usize;
  xRow: i32;
  xK: i32;
  formatX: i32;
  w: usize;
  /** From one row of W to the next. */
  ldw: i32;
  formatW: i32;
  /** f32 */
  y: usize;
  yRow: i32;
  yColumn: i32;
  m: i32;
  k: i32;
  n: i32;
  alpha: f32;
  accumulate: i32;
  /** Byte offsets (X, W, Y) of each matrix. */
  table: usize;
  /** Items of one matrix, and columns of an item. */
  blocks: i32;
  columns: i32;
}
