import { calculationError } from "../exact/calculation-error.js";
import { evaluate, scaleOf } from "../exact/evaluate.js";
import { decimal, fraction } from "../exact/format.js";
import { addIntervals, contains, type Interval, isPoint, multiplyIntervals, negateInterval } from "../exact/interval.js";
import { type Node, parseChain, type Relation } from "../exact/parse.js";
import type { Quantity } from "../exact/quantity.js";
import { compare, multiply, negate, power, type Rational, rational } from "../exact/rational.js";
import { dimensionText, sameDimension } from "../exact/units.js";
import type { ArithmeticClaim, Verdict } from "./claim.js";

/** True, false, or not decided by what the values are known to lie in. */
type Truth = boolean | undefined;

/** Recomputes both sides of each relation, exactly. @throws ConfigError kinds `calculation`, `limit`, where there is nothing to compare */
export function checkArithmetic({ claim }: ArithmeticClaim): Verdict {
  const { sides, relations } = parseChain(claim);
  if (relations.length === 0) throw calculationError("a claim has a relation in it", "write what the value is: 1 + 1 = 2");
  const values = sides.map((side) => evaluate(side));
  let open: string | undefined;
  for (const [i, relation] of relations.entries()) {
    const [left, right] = [values[i]!, values[i + 1]!];
    if (!sameDimension(left.dimension, right.dimension))
      return refuted(`the left side is in ${dimensionText(left.dimension)}, the right in ${dimensionText(right.dimension)}`);
    const truth = relation === "≈" ? near(left, right, sides[i + 1]!) : holds(left.value, relation, right.value);
    const witness = `the left side is ${shown(left)}, the right ${shown(right)}`;
    if (truth === false) return refuted(witness);
    if (truth === undefined) open ??= `not decided by what the values are known to lie in: ${witness}`;
  }
  return open === undefined
    ? { status: "verified", check: "arithmetic", detail: values.map(shown).join(" ; ") }
    : { status: "unknown", reason: open };
}

const refuted = (witness: string): Verdict => ({ status: "refuted", check: "arithmetic", witness });

function shown({ value, dimension }: Quantity): string {
  const unit = dimension.every((one) => one === 0) ? "" : ` ${dimensionText(dimension)}`;
  return `${isPoint(value) ? short(fraction(value.lo)) : `between ${decimal(value.lo).text} and ${decimal(value.hi).text}`}${unit}`;
}

/** Witnesses are read; of 20,000 digits the ends say enough. */
const short = (text: string): string => (text.length <= 200 ? text : `${text.slice(0, 90)}…${text.slice(-90)} (${text.length} characters)`);

const below = (x: Interval, y: Interval): Truth => (compare(x.hi, y.lo) < 0 ? true : compare(x.lo, y.hi) >= 0 ? false : undefined);
const not = (truth: Truth): Truth => (truth === undefined ? undefined : !truth);

function holds(a: Interval, relation: Exclude<Relation, "≈">, b: Interval): Truth {
  const same = (): Truth => {
    if (compare(a.hi, b.lo) < 0 || compare(b.hi, a.lo) < 0) return false;
    return isPoint(a) && isPoint(b) ? true : undefined;
  };
  switch (relation) {
    case "<":
      return below(a, b);
    case ">":
      return below(b, a);
    case "<=":
      return not(below(b, a));
    case ">=":
      return not(below(a, b));
    case "=":
      return same();
    case "!=":
      return not(same());
    case "within":
      if (contains(b, a.lo) && contains(b, a.hi)) return true;
      return same() === false ? false : undefined;
  }
}

/** Whether a ≈ literal: |a − literal| is at most half a unit of the literal's last digit. */
function near(a: Quantity, b: Quantity, literal: Node): Truth {
  const tolerance = toleranceOf(literal);
  const difference = addIntervals(a.value, negateInterval(b.value));
  const allowed = { lo: negate(tolerance), hi: tolerance };
  if (contains(allowed, difference.lo) && contains(allowed, difference.hi)) return true;
  return compare(difference.lo, tolerance) > 0 || compare(difference.hi, allowed.lo) < 0 ? false : undefined;
}

function toleranceOf(node: Node): Rational {
  if (node.kind === "negate") return toleranceOf(node.of);
  if (node.kind === "number") {
    const [, decimals = "", exponent = "0"] = /^\d*(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(node.text)!;
    return multiply(rational(1n, 2n), power(rational(10n), BigInt(exponent) - BigInt(decimals.length)));
  }
  if (node.kind === "binary" && node.implicit) {
    const { factor } = scaleOf(node.right);
    const { hi } = multiplyIntervals({ lo: toleranceOf(node.left), hi: toleranceOf(node.left) }, factor);
    return hi;
  }
  throw calculationError("behind ≈ stands a number, whose last digit says how near it is");
}
