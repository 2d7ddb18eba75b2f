/** Ranks of four numbers among fifteen thresholds: how many of them are smaller. */
// @ts-ignore: decorator
@inline
function ranks(x: v128, thresholds: usize): v128 {
  let rank = i32x4.splat(0);
  for (let at: usize = 0; at < 60; at += 4) rank = i32x4.sub(rank, f32x4.gt(x, v128.load32_splat(thresholds + at)));
  return rank;
}

/**
 * Codes of four bits of whole blocks of numbers, divided by the largest magnitude of their block.
 * @param packed the code of number 2k in the upper half of byte k
 * @param blocksize a multiple of 16
 * @param thresholds fifteen, ascending: a number's rank is how many of them are smaller
 * @param codes sixteen bytes: the code of a rank
 * @see bitsandbytes `backends/default/ops.py` quantize_4bit
 */
export function encodeFourBit(x: usize, packed: usize, absmax: usize, blocks: i32, blocksize: i32, thresholds: usize, codes: usize): void {
  const bytes = <usize>blocksize << 2;
  const codeOf = v128.load(codes);
  for (let block = 0; block < blocks; block++) {
    const end = x + bytes;
    let most = f32x4.splat(0);
    for (let at = x; at < end; at += 16) most = f32x4.pmax(most, f32x4.abs(v128.load(at)));
    most = f32x4.pmax(most, v128.shuffle<f32>(most, most, 2, 3, 0, 1));
    const largest = max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1));
    store<f32>(absmax, largest);
    absmax += 4;
    const scale = f32x4.splat(<f32>1 / max(largest, <f32>1e-38));
    for (; x < end; x += 64) {
      const a = ranks(f32x4.mul(v128.load(x), scale), thresholds);
      const b = ranks(f32x4.mul(v128.load(x, 16), scale), thresholds);
      const c = ranks(f32x4.mul(v128.load(x, 32), scale), thresholds);
      const d = ranks(f32x4.mul(v128.load(x, 48), scale), thresholds);
      const rank = i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_u(a, b), i16x8.narrow_i32x4_u(c, d));
      const pairs = i8x16.swizzle(codeOf, rank);
      const joined = v128.or(v128.and(i16x8.shl(pairs, 4), i16x8.splat(0xf0)), i16x8.shr_u(pairs, 8));
      v128.store_lane<u64>(packed, i8x16.narrow_i16x8_u(joined, joined), 0);
      packed += 8;
    }
  }
}
