@unmanaged
class AlternatingSumArgs {
  result: usize;
  x: usize;
  /** Elements of a row. */
  n: i32;
}

/** x₀ - x₁ + x₂ - … of each row, f32. An item is one row. */
export function alternatingSum(args: AlternatingSumArgs, start: i32, end: i32): void {
  const n = args.n;
  for (let item = start; item < end; item++) {
    const x = args.x + (<usize>item * n << 2);
    let sum: f64 = 0;
    for (let i = 0; i < n; i++) {
      const v = <f64>load<f32>(x + (<usize>i << 2));
      sum += i & 1 ? -v : v;
    }
    store<f32>(args.result + (<usize>item << 2), <f32>sum);
  }
}
