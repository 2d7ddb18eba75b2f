@unmanaged
class GatherRowsArgs {
  result: usize;
  x: usize;
  /** i32 */
  indices: usize;
  /** Rows of X in each outer block. */
  rows: i32;
  count: i32;
  /** Of a row. */
  bytes: i32;
}

/** Rows by index, zeros for an index outside the axis. An item is one row of the result. */
export function gatherRows(args: GatherRowsArgs, start: i32, end: i32): void {
  const count = args.count;
  const n = args.rows;
  const bytes = <usize>args.bytes;
  for (let item = start; item < end; item++) {
    const outer = item / count;
    const index = load<i32>(args.indices + ((item - outer * count) << 2));
    const to = args.result + <usize>item * bytes;
    if (<u32>index >= <u32>n) memory.fill(to, 0, bytes);
    else memory.copy(to, args.x + <usize>(outer * n + index) * bytes, bytes);
  }
}
