import { Order, rank, rank4 } from "../order.wasm";

@unmanaged
class ArgReduceArgs extends Order {
  /** i32 */
  result: usize;
  x: usize;
  n: i32;
  inner: i32;
}

/** Index of the first element of the highest rank. An item is one result or, with `inner` of 4 or more, four neighbouring ones. */
export function argReduce(args: ArgReduceArgs, start: i32, end: i32): void {
  const n = args.n, inner = args.inner;
  const wide = inner >= 4;
  const perOuter = wide ? (inner + 3) >> 2 : inner;
  for (let item = start; item < end; item++) {
    const outer = item / perOuter;
    const column = wide ? min((item - outer * perOuter) << 2, inner - 4) : item - outer * perOuter;
    const x = args.x + (<usize>(outer * n * inner + column) << 2);
    const to = args.result + (<usize>(outer * inner + column) << 2);
    // Lanes are neighbouring results, or every fourth element of one.
    const step = wide ? inner << 2 : 16, stride = wide ? 1 : 4;
    const count = wide ? n : inner == 1 ? n >> 2 : 0;
    let place = wide ? i32x4.splat(0) : i32x4(0, 1, 2, 3), best = place, top = i32x4.splat(i32.MIN_VALUE);
    for (let i = 0; i < count; i++) {
      const ranks = rank4(args, v128.load(x + <usize>i * step));
      const better = i32x4.gt_s(ranks, top);
      top = v128.bitselect(ranks, top, better);
      best = v128.bitselect(place, best, better);
      place = i32x4.add(place, i32x4.splat(stride));
    }
    if (wide) {
      v128.store(to, best);
      continue;
    }
    let highest = i32x4.extract_lane(top, 0), first = i32x4.extract_lane(best, 0);
    for (let lane = 1; lane < 4; lane++) {
      top = v128.shuffle<i32>(top, top, 1, 2, 3, 0);
      best = v128.shuffle<i32>(best, best, 1, 2, 3, 0);
      const other = i32x4.extract_lane(top, 0), at = i32x4.extract_lane(best, 0);
      if (other > highest || (other == highest && at < first)) {
        highest = other;
        first = at;
      }
    }
    for (let i = count << 2; i < n; i++) {
      const other = rank(args, x + (<usize>i * inner << 2));
      if (other > highest) {
        highest = other;
        first = i;
      }
    }
    store<i32>(to, first);
  }
}
