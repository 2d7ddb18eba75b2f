/** Numbers as the bytes of f32. */
export const bytesOfFloats = (...values: readonly number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);

/** The largest difference of two lists of one length. */
export function largestGap(got: ArrayLike<number>, want: ArrayLike<number>): number {
  if (got.length !== want.length) return Infinity;
  let gap = 0;
  for (let i = 0; i < want.length; i++) {
    const d = Math.abs(got[i]! - want[i]!);
    gap = d === d ? Math.max(gap, d) : Infinity;
  }
  return gap;
}
