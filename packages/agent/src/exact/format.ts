import { abs, type Rational } from "./rational.js";

/** Digits behind the point of a number that is not written exactly. */
const DIGITS = 20;

/** `7`, `-3/10` */
export const fraction = ({ n, d }: Rational): string => (d === 1n ? `${n}` : `${n}/${d}`);

/** Digits behind the point of a decimal that ends, or undefined if it does not end within 1000. */
function places(d: bigint): number | undefined {
  let [rest, twos, fives] = [d, 0, 0];
  for (; rest % 2n === 0n; rest /= 2n) twos++;
  for (; rest % 5n === 0n; rest /= 5n) fives++;
  return rest === 1n && Math.max(twos, fives) <= 1000 ? Math.max(twos, fives) : undefined;
}

function fixed({ n, d }: Rational, digits: number): string {
  // Rounded half away from zero.
  const scaled = (2n * abs(n) * 10n ** BigInt(digits) + d) / (2n * d);
  const text = `${scaled}`.padStart(digits + 1, "0");
  const sign = n < 0n && scaled !== 0n ? "-" : "";
  return digits === 0 ? sign + text : `${sign}${text.slice(0, -digits)}.${text.slice(-digits)}`;
}

/** The decimal of a number, and whether it is exact; what does not end is rounded. */
export function decimal(value: Rational): { readonly text: string; readonly exact: boolean } {
  const exact = places(value.d);
  if (exact !== undefined) return { text: fixed(value, exact), exact: true };
  return { text: rounded(value), exact: false };
}

/** To 20 digits behind the point and its leading zeros. */
export function rounded(value: Rational): string {
  const leading = Math.max(0, `${value.d}`.length - `${abs(value.n)}`.length);
  return fixed(value, Math.min(1000, leading + DIGITS));
}
