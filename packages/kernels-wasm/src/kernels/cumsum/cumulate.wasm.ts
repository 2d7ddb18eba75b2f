@unmanaged
class CumulateArgs {
  result: usize;
  x: usize;
  n: i32;
  inner: i32;
  /** From the end. */
  reverse: i32;
}

/** Running sums, f32 with an f64 accumulator. An item is one line. */
export function cumulate(args: CumulateArgs, start: i32, end: i32): void {
  const n = args.n;
  const inner = args.inner;
  const reverse = args.reverse != 0;
  for (let item = start; item < end; item++) {
    const outer = item / inner;
    const base = <usize>outer * n * inner + (item - outer * inner);
    let sum: f64 = 0;
    for (let i = 0; i < n; i++) {
      const at = (base + <usize>(reverse ? n - 1 - i : i) * inner) << 2;
      sum += <f64>load<f32>(args.x + at);
      store<f32>(args.result + at, <f32>sum);
    }
  }
}
