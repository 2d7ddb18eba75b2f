@unmanaged
class ArgReduceArgs {
  /** i32 */
  result: usize;
  x: usize;
  n: i32;
  inner: i32;
  /** 1: the largest, -1: the smallest. */
  sign: i32;
}

/** Index of the first largest or smallest element, f32; of the first NaN if there is one. An item is one result. */
export function argReduce(args: ArgReduceArgs, start: i32, end: i32): void {
  const n = args.n;
  const inner = args.inner;
  const sign = <f32>args.sign;
  for (let item = start; item < end; item++) {
    const outer = item / inner;
    const x = args.x + ((<usize>outer * n * inner + (item - outer * inner)) << 2);
    let best = 0;
    let top = sign * load<f32>(x);
    for (let i = 1; i < n; i++) {
      const v = sign * load<f32>(x + (<usize>i * inner << 2));
      if (v > top || (v != v && top == top)) {
        top = v;
        best = i;
      }
    }
    store<i32>(args.result + (item << 2), best);
  }
}
