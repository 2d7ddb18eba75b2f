import { polynomial } from "../program/arithmetic.js";
import type { Lanes } from "../program/lanes.js";

/** π/2 in parts of 12, 12 and 12 bits, and the rest: their products with numbers of 12 bits are exact. */
const PARTS = [1.5703125, 0.0004837512969970703, 7.549533620476723e-8, 2.563344151594519e-12];

/** a - b and what its rounding loses. */
function less<F, I, M>(l: Lanes<F, I, M>, a: F, b: F): [F, F] {
  const d = l.sub(a, b);
  return [d, l.sub(l.sub(a, d), b)];
}

/**
 * sin x (shift 0) or cos x (shift 1): x - k·π/2 as the sum of two f32, then a polynomial on ±π/4. k is found in two parts of 12 bits, so that
 * the difference is good to |x|·2⁻⁶⁰ up to |x| = 2^20 and zeros keep their digits; beyond, results lie between -1 and 1 but mean nothing.
 */
export function sinCos<F, I, M>(l: Lanes<F, I, M>, x: F, shift: 0 | 1): F {
  const [c1, c2, c3, c4] = PARTS.map((c) => l.f32(c)) as [F, F, F, F];
  const high = l.mul(l.nearest(l.mul(x, l.f32(2 / Math.PI / 4096))), l.f32(4096));
  const wide = l.sub(l.sub(x, l.mul(high, c1)), l.mul(high, c2));
  const low = l.nearest(l.mul(wide, l.f32(2 / Math.PI)));
  const coarse = l.sub(l.sub(wide, l.mul(low, c1)), l.mul(low, c2));
  const [fine, lost] = less(l, coarse, l.mul(high, c3));
  const [first, rest] = less(l, fine, l.mul(low, c3));
  const finest = l.sub(l.add(lost, rest), l.mul(l.add(high, low), c4));
  const r = l.min(l.max(l.add(first, finest), l.f32(-1)), l.f32(1));
  // Not a comparison that NaN fails: of NaN the tail stays NaN.
  const tail = l.select(l.lt(l.f32(1), l.abs(first)), l.f32(0), l.add(l.sub(first, r), finest));
  const square = l.mul(r, r);
  const [top, below] = less(l, l.f32(1), l.mul(square, l.f32(0.5)));
  const S = [-0.1666666716337204, 0.008333326317369938, -0.00019838362641166896, 2.709882210183423e-6];
  const C = [0.041666626930236816, -0.0013886505039408803, 2.4348484657821245e-5];
  const sine = l.add(r, l.add(l.mul(l.mul(square, r), polynomial(l, square, S)), l.mul(tail, top)));
  const more = l.sub(l.mul(l.mul(square, square), polynomial(l, square, C)), l.mul(r, tail));
  const cosine = l.add(top, l.add(more, below));
  const n = l.toInt(low);
  const quadrant = shift === 0 ? n : l.iadd(n, l.i32(1));
  const odd = l.ine(l.iand(quadrant, l.i32(1)), l.i32(0));
  return l.float(l.ixor(l.bits(l.select(odd, cosine, sine)), l.shl(l.shrU(quadrant, 1), 31)));
}
