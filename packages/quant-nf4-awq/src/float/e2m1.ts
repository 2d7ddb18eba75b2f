/** The sixteen numbers of two bits of exponent and one of mantissa, by code. @see OCP Microscaling Formats 1.0 */
export const E2M1: Float32Array = Float32Array.of(0, 0.5, 1, 1.5, 2, 3, 4, 6, -0, -0.5, -1, -1.5, -2, -3, -4, -6);

/**
 * The code of the nearest e2m1 number; halves go to the one nearer to 0, and what is beyond 6 to that.
 */
export function e2m1Code(x: number): number {
  const m = Math.abs(x);
  const magnitude = m > 1.75 ? (m > 3.5 ? (m > 5 ? 7 : 6) : m > 2.5 ? 5 : 4) : m > 0.75 ? (m > 1.25 ? 3 : 2) : m > 0.25 ? 1 : 0;
  return x < 0 && magnitude > 0 ? magnitude | 8 : magnitude;
}

/** The code of the nearest e2m1 number; halves go to the one whose mantissa is even, and what is beyond 6 to that. */
export function roundE2m1(x: number): number {
  const m = Math.abs(x);
  // Of the halves that `e2m1Code` takes down, those above an odd code.
  return e2m1Code(x) + (m === 0.75 || m === 1.75 || m === 3.5 ? 1 : 0);
}
