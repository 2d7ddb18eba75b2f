@unmanaged
class FirstNonFiniteArgs {
  x: usize;
  elements: i32;
  /** Of an element, in bytes. */
  width: i32;
  /** Mask of the magnitude, and the largest finite magnitude (bits). */
  mask: i32;
  largest: i32;
  /** The lowest index; -1 at the start, the largest u32. */
  result: u32;
}

/** Lowest index of an element that is NaN or infinite. An item is 4096 elements. */
export function firstNonFinite(args: FirstNonFiniteArgs, start: i32, end: i32): void {
  const result = changetype<usize>(args) + offsetof<FirstNonFiniteArgs>("result");
  const width = args.width;
  const mask = args.mask;
  const top = args.largest;
  for (let item = start; item < end; item++) {
    const first = item << 12;
    if (atomic.load<u32>(result) < <u32>first) return;
    const last = min(args.elements, first + 4096);
    let i = first;
    if (width == 2) {
      const m = i16x8.splat(<i16>mask), t = i16x8.splat(<i16>top);
      for (; i + 8 <= last; i += 8) if (v128.any_true(i16x8.gt_s(v128.and(v128.load(args.x + (i << 1)), m), t))) break;
    } else if (width == 4) {
      const m = i32x4.splat(mask), t = i32x4.splat(top);
      for (; i + 4 <= last; i += 4) if (v128.any_true(i32x4.gt_s(v128.and(v128.load(args.x + (<usize>i << 2)), m), t))) break;
    }
    for (; i < last; i++) {
      const at = args.x + <usize>i * width;
      const bits = (width == 4 ? load<i32>(at) : width == 2 ? <i32>load<u16>(at) : <i32>load<u8>(at)) & mask;
      if (bits <= top) continue;
      let seen = atomic.load<u32>(result);
      while (<u32>i < seen) {
        const before = atomic.cmpxchg<u32>(result, seen, <u32>i);
        if (before == seen) break;
        seen = before;
      }
      break;
    }
  }
}
