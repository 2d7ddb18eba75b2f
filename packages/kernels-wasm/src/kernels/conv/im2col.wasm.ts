@unmanaged
class Im2colArgs {
  /** First channel of the group. */
  x: usize;
  result: usize;
  /** The outputs that this matrix is for. */
  first: i32;
  positions: i32;
  /** Size of the input. */
  inDepth: i32;
  inHeight: i32;
  inWidth: i32;
  kernelDepth: i32;
  kernelHeight: i32;
  kernelWidth: i32;
  /** Size of the whole output. */
  outDepth: i32;
  outHeight: i32;
  outWidth: i32;
  strideDepth: i32;
  strideHeight: i32;
  strideWidth: i32;
  dilationDepth: i32;
  dilationHeight: i32;
  dilationWidth: i32;
  /** Input dilation. */
  spreadDepth: i32;
  spreadHeight: i32;
  spreadWidth: i32;
  /** Low padding. */
  lowDepth: i32;
  lowHeight: i32;
  lowWidth: i32;
}

/**
 * Patches of one image and group as a matrix [channels · kernel, positions] of f32, always as three spatial axes. An item is one row of it.
 */
export function im2col(args: Im2colArgs, start: i32, end: i32): void {
  const first = args.first;
  const positions = args.positions;
  const inW = args.inWidth, inH = args.inHeight, inD = args.inDepth;
  const kW = args.kernelWidth, kH = args.kernelHeight, kD = args.kernelDepth;
  const outW = args.outWidth, outH = args.outHeight;
  const strideW = args.strideWidth, spread = args.spreadWidth;
  for (let item = start; item < end; item++) {
    const w = item % kW;
    const h = (item / kW) % kH;
    const d = (item / (kW * kH)) % kD;
    const channel = item / (kW * kH * kD);
    const image = args.x + (<usize>channel * (inD * inH * inW) << 2);
    let to = args.result + (<usize>item * positions << 2);
    const shift = w * args.dilationWidth - args.lowWidth;
    let at = first;
    const last = first + positions;
    while (at < last) {
      const ow = at % outW;
      const oh = (at / outW) % outH;
      const od = at / (outW * outH);
      const count = min(outW - ow, last - at);
      const z = source(od * args.strideDepth + d * args.dilationDepth - args.lowDepth, args.spreadDepth, inD);
      const y = source(oh * args.strideHeight + h * args.dilationHeight - args.lowHeight, args.spreadHeight, inH);
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
