import { word } from "./env";

/**
 * Patches of one image and group as a matrix [channels · kernel, P] of f32 (P: `positions` outputs from `first` on), always as
 * three spatial axes. An item is one row of it.
 *
 * args: 0 X (first channel of the group), 1 result, 2 first, 3 positions, then triples (depth, height, width):
 * 4 input size, 7 kernel, 10 output size, 13 stride, 16 dilation, 19 input dilation, 22 low padding.
 */
export function im2col(args: usize, start: i32, end: i32): void {
  const first = word(args, 2);
  const positions = word(args, 3);
  const inW = word(args, 6), inH = word(args, 5), inD = word(args, 4);
  const kW = word(args, 9), kH = word(args, 8), kD = word(args, 7);
  const outW = word(args, 12), outH = word(args, 11);
  const strideW = word(args, 15), spread = word(args, 21);
  for (let item = start; item < end; item++) {
    const w = item % kW;
    const h = (item / kW) % kH;
    const d = (item / (kW * kH)) % kD;
    const channel = item / (kW * kH * kD);
    const image = word(args, 0) + (<usize>channel * (inD * inH * inW) << 2);
    let to = word(args, 1) + (<usize>item * positions << 2);
    const shift = w * word(args, 18) - word(args, 24);
    let at = first;
    const last = first + positions;
    while (at < last) {
      const ow = at % outW;
      const oh = (at / outW) % outH;
      const od = at / (outW * outH);
      const count = min(outW - ow, last - at);
      const z = source(od * word(args, 13) + d * word(args, 16) - word(args, 22), word(args, 19), inD);
      const y = source(oh * word(args, 14) + h * word(args, 17) - word(args, 23), word(args, 20), inH);
      if (z < 0 || y < 0) memory.fill(to, 0, count << 2);
      else copyLine(to, image + (((z * inH + y) * inW) << 2), ow * strideW + shift, strideW, spread, inW, count);
      to += count << 2;
      at += count;
    }
  }
}

/** The input coordinate at a dilated coordinate, -1 if there is none. */
// @ts-ignore: decorator
@inline
function source(at: i32, spread: i32, size: i32): i32 {
  if (at < 0 || at % spread != 0) return -1;
  const i = at / spread;
  return i < size ? i : -1;
}

function copyLine(to: usize, line: usize, x: i32, stride: i32, spread: i32, size: i32, count: i32): void {
  if (stride == 1 && spread == 1) {
    const before = min(count, max(0, -x));
    const inside = max(0, min(count, size - x) - before);
    memory.fill(to, 0, before << 2);
    memory.copy(to + (before << 2), line + ((x + before) << 2), inside << 2);
    memory.fill(to + ((before + inside) << 2), 0, (count - before - inside) << 2);
    return;
  }
  for (let i = 0; i < count; i++, x += stride) {
    const at = source(x, spread, size);
    store<f32>(to + (i << 2), at < 0 ? 0 : load<f32>(line + (at << 2)));
  }
}
