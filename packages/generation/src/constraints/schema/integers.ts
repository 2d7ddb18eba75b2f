import { byteRange, choice, EMPTY, literal, NEVER, type Part, repeat, sequence } from "../grammar.js";

/** Most digits of an integer: these are exact in a double. */
export const MAX_DIGITS = 15;
export const MAX_INTEGER: number = 10 ** MAX_DIGITS - 1;

const digit = (from: string, to: string): Part => byteRange(from.charCodeAt(0), to.charCodeAt(0));

/** Numbers of as many digits, from one to another. */
function sameLength(low: string, high: string): Part {
  if (low === "") return EMPTY;
  if (/^0*$/.test(low) && /^9*$/.test(high)) return repeat(digit("0", "9"), low.length, low.length);
  const [a, b] = [low.charCodeAt(0), high.charCodeAt(0)];
  const [lower, upper] = [low.slice(1), high.slice(1)];
  if (a === b) return sequence(byteRange(a, a), sameLength(lower, upper));
  const between = a + 1 < b ? [sequence(byteRange(a + 1, b - 1), repeat(digit("0", "9"), lower.length, lower.length))] : [];
  return choice(
    sequence(byteRange(a, a), sameLength(lower, lower.replaceAll(/./g, "9"))),
    ...between,
    sequence(byteRange(b, b), sameLength(upper.replaceAll(/./g, "0"), upper)),
  );
}

/** Natural numbers from one to another, without leading zeros. */
function naturals(low: number, high: number): Part {
  const options: Part[] = [];
  for (let length = String(low).length; length <= String(high).length; length++) {
    const least = Math.max(low, length === 1 ? 0 : 10 ** (length - 1));
    options.push(sameLength(String(least), String(Math.min(high, 10 ** length - 1))));
  }
  return choice(...options);
}

/** Integers from one to another, as JSON writes them; at most `MAX_DIGITS` digits. */
export function integersPart(minimum: number, maximum: number): Part {
  const [low, high] = [Math.max(Math.ceil(minimum), -MAX_INTEGER), Math.min(Math.floor(maximum), MAX_INTEGER)];
  const options: Part[] = [];
  if (low < 0 && low <= high) options.push(sequence(literal("-"), naturals(Math.max(1, -high), -low)));
  if (high >= 0 && Math.max(low, 0) <= high) options.push(naturals(Math.max(low, 0), high));
  return options.length === 0 ? NEVER : choice(...options);
}
