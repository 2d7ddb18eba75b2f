@unmanaged
class ThreefryArgs {
  result: usize;
  /** Two words. */
  key: usize;
  /** Words wanted. */
  count: i32;
}

// @ts-ignore: decorator
@inline
function turn(x: u32, y: u32, r: i32): u32 {
  return rotl<u32>(y, r) ^ x;
}

/** Threefry-2x32, 20 rounds. An item is one counter (two words). */
export function threefry(args: ThreefryArgs, start: i32, end: i32): void {
  const k0 = load<u32>(args.key);
  const k1 = load<u32>(args.key, 4);
  const k2 = k0 ^ k1 ^ 0x1bd11bda;
  for (let item = start; item < end; item++) {
    let x: u32 = <u32>item + k0;
    let y: u32 = k1;
    for (let group = 0; group < 5; group++) {
      const even = (group & 1) == 0;
      x += y; y = turn(x, y, even ? 13 : 17);
      x += y; y = turn(x, y, even ? 15 : 29);
      x += y; y = turn(x, y, even ? 26 : 16);
      x += y; y = turn(x, y, even ? 6 : 24);
      const s = group + 1;
      const a = s % 3;
      x += a == 0 ? k0 : a == 1 ? k1 : k2;
      y += (a == 0 ? k1 : a == 1 ? k2 : k0) + s;
    }
    const to = args.result + (item << 3);
    store<u32>(to, x);
    if ((item << 1) + 1 < args.count) store<u32>(to, y, 4);
  }
}
