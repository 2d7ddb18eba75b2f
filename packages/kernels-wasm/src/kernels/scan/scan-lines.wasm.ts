import { scratch } from "../env.wasm";

@unmanaged
class ScanLinesArgs {
  result: usize;
  /** What the recurrence multiplies by; read for `how` 2 alone. */
  factors: usize;
  x: usize;
  n: i32;
  inner: i32;
  /** From the end. */
  reverse: i32;
  /** 0: sum, 1: largest so far, 2: a·h + x. */
  how: i32;
  /** Elements are i32, else f32. */
  whole: i32;
}

/** Columns that go through their lines together, so that memory is read in order. */
const COLUMNS: i32 = 512;

// @ts-ignore: decorator
@inline
function read(at: usize, whole: bool): f64 {
  return whole ? <f64>load<i32>(at) : <f64>load<f32>(at);
}

// @ts-ignore: decorator
@inline
function next(args: ScanLinesArgs, at: usize, before: f64, x: f64): f64 {
  if (args.how == 0) return before + x;
  if (args.how == 1) return x > before || x != x ? x : before;
  return <f64>load<f32>(args.factors + at) * before + x;
}

// @ts-ignore: decorator
@inline
function write(at: usize, value: f64, whole: bool): void {
  if (whole) store<i32>(at, <i32>(<i64>value));
  else store<f32>(at, <f32>value);
}

/** Scans along lines with an f64 state (sums of up to 2^22 i32 are exact). An item is up to 512 lines that lie side by side. */
export function scanLines(args: ScanLinesArgs, start: i32, end: i32): void {
  const n = args.n;
  const inner = args.inner;
  const whole = args.whole != 0;
  const blocks = (inner + COLUMNS - 1) / COLUMNS;
  for (let item = start; item < end; item++) {
    const outer = item / blocks;
    const first = (item - outer * blocks) * COLUMNS;
    const columns = min(COLUMNS, inner - first);
    const base = <usize>outer * n * inner + first;
    for (let i = 0; i < n; i++) {
      const row = (base + <usize>(args.reverse != 0 ? n - 1 - i : i) * inner) << 2;
      for (let j = 0; j < columns; j++) {
        const at = row + (<usize>j << 2);
        const state = scratch + (<usize>j << 3);
        const x = read(args.x + at, whole);
        const value = i == 0 ? x : next(args, at, load<f64>(state), x);
        store<f64>(state, value);
        write(args.result + at, value, whole);
      }
    }
  }
}
