@unmanaged
class ScatterAddArgs {
  result: usize;
  updates: usize;
  /** i32 */
  indices: usize;
  /** Rows of the result in each outer block. */
  rows: i32;
  count: i32;
  inner: i32;
  /** Elements are i32, else f32. */
  whole: i32;
}

/** result[…, index, …] += updates. An item is 64 columns of one outer block, so that repeated indices never meet; those outside the axis are left out. */
export function scatterAdd(args: ScatterAddArgs, start: i32, end: i32): void {
  const count = args.count;
  const n = args.rows;
  const inner = args.inner;
  const blocks = (inner + 63) >> 6;
  for (let item = start; item < end; item++) {
    const outer = item / blocks;
    const first = (item - outer * blocks) << 6;
    const last = min(inner, first + 64);
    for (let i = 0; i < count; i++) {
      const index = load<i32>(args.indices + (i << 2));
      if (<u32>index >= <u32>n) continue;
      const to = args.result + (<usize>(outer * n + index) * inner << 2);
      const from = args.updates + (<usize>(outer * count + i) * inner << 2);
      let j = first;
      if (args.whole != 0) {
        for (; j < last; j++) store<i32>(to + (j << 2), load<i32>(to + (j << 2)) + load<i32>(from + (j << 2)));
        continue;
      }
      for (; j + 4 <= last; j += 4) v128.store(to + (j << 2), f32x4.add(v128.load(to + (j << 2)), v128.load(from + (j << 2))));
      for (; j < last; j++) store<f32>(to + (j << 2), load<f32>(to + (j << 2)) + load<f32>(from + (j << 2)));
    }
  }
}
