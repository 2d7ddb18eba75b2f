import { word } from "./env";

/**
 * Lowest index of an element that is NaN or infinite. An item is 4096 elements.
 *
 * args: 0 X, 1 elements, 2 width in bytes, 3 mask of the magnitude, 4 largest finite magnitude (bits), 5 result: lowest index, starts at -1 (as u32).
 */
export function firstNonFinite(args: usize, start: i32, end: i32): void {
  const width = word(args, 2);
  const mask = word(args, 3);
  const top = word(args, 4);
  for (let item = start; item < end; item++) {
    const first = item << 12;
    if (atomic.load<u32>(args + 20) < <u32>first) return;
    const last = min(word(args, 1), first + 4096);
    let i = first;
    if (width == 2) {
      const m = i16x8.splat(<i16>mask), t = i16x8.splat(<i16>top);
      for (; i + 8 <= last; i += 8) if (v128.any_true(i16x8.gt_s(v128.and(v128.load(word(args, 0) + (i << 1)), m), t))) break;
    } else if (width == 4) {
      const m = i32x4.splat(mask), t = i32x4.splat(top);
      for (; i + 4 <= last; i += 4) if (v128.any_true(i32x4.gt_s(v128.and(v128.load(word(args, 0) + (<usize>i << 2)), m), t))) break;
    }
    for (; i < last; i++) {
      const at = word(args, 0) + <usize>i * width;
      const bits = (width == 4 ? load<i32>(at) : width == 2 ? <i32>load<u16>(at) : <i32>load<u8>(at)) & mask;
      if (bits <= top) continue;
      let seen = atomic.load<u32>(args + 20);
      while (<u32>i < seen) {
        const before = atomic.cmpxchg<u32>(args + 20, seen, <u32>i);
        if (before == seen) break;
        seen = before;
      }
      break;
    }
  }
}
