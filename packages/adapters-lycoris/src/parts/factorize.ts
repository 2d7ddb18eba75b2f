/**
 * d = m·n with m ≤ n: by `factor` where it divides d, else the divisors nearest to each other with m ≤ factor (any m if it is negative).
 * PEFT does not sort the first case, so that (6, 3) gives (3, 2).
 * @see lycoris `functional/general.py` factorization; peft `tuners/lokr/layer.py` factorization
 */
export function factorize(d: number, factor: number, sorted = true): [number, number] {
  if (factor > 0 && d % factor === 0) {
    const pair: [number, number] = [factor, d / factor];
    return sorted && pair[0] > pair[1] ? [pair[1], pair[0]] : pair;
  }
  const limit = Math.min(factor < 0 ? d : factor, Math.floor(Math.sqrt(d)));
  let m = Math.max(1, limit);
  while (d % m !== 0) m--;
  return [m, d / m];
}
