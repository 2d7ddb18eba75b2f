/** The value of largest magnitude of `n` numbers from `from` on, the first of several. */
export function largestMagnitude(x: Float32Array, from: number, n: number): number {
  let magnitude = 0;
  let value = 0;
  for (let i = from; i < from + n; i++) {
    const m = Math.abs(x[i]!);
    if (m > magnitude) {
      magnitude = m;
      value = x[i]!;
    }
  }
  return value;
}

/** The smallest of `n` numbers from `from` on. */
export function smallest(x: Float32Array, from: number, n: number): number {
  let least = x[from]!;
  for (let i = from + 1; i < from + n; i++) if (x[i]! < least) least = x[i]!;
  return least;
}

/** The largest of `n` numbers from `from` on. */
export function largest(x: Float32Array, from: number, n: number): number {
  let most = x[from]!;
  for (let i = from + 1; i < from + n; i++) if (x[i]! > most) most = x[i]!;
  return most;
}
