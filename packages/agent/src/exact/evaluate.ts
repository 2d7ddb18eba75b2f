import { calculationError, calculationLimit } from "./calculation-error.js";
import { callFunction, CONSTANTS, factorial, rootOf } from "./functions.js";
import {
  addIntervals,
  divideIntervals,
  type Interval,
  isPoint,
  multiplyIntervals,
  negateInterval,
  point,
  powerOfInterval,
  subtractIntervals,
} from "./interval.js";
import type { Node, Operator } from "./parse.js";
import { assertSameDimension, exactOf, plain, pureOf, type Quantity, wholeOf } from "./quantity.js";
import { compare, modulo, parseDecimal, powerModulo, rational } from "./rational.js";
import { type Unit, unitOf } from "./units.js";

/**
 * The value of an expression, in base units: exact for rationals, an enclosure for what is irrational.
 * @throws ConfigError kinds `calculation`, `limit`
 */
export function evaluate(node: Node): Quantity {
  switch (node.kind) {
    case "number":
      return plain(point(parseDecimal(node.text)));
    case "name":
      return named(node.name);
    case "call":
      return callFunction(
        node.name,
        node.args.map((one) => evaluate(one)),
      );
    case "interval":
      return span(evaluate(node.lo), evaluate(node.hi));
    case "negate": {
      // `-40 degF` is a place on a scale, not the opposite of one.
      const below =
        node.of.kind === "binary" && scaleNamed(node.of.right) ? onScale(negated(evaluate(node.of.left)), node.of.right) : undefined;
      return below ?? negated(evaluate(node.of));
    }
    case "factorial":
      return plain(point(rational(factorial(wholeOf(evaluate(node.of), "!")))));
    case "convert": {
      const quantity = evaluate(node.of);
      assertSameDimension(quantity, scaleOf(node.unit), "to");
      return quantity;
    }
    case "binary":
      return chain(node);
  }
}

/** The unit that an expression converts into: `km/h`, `degC`. @throws ConfigError kind `calculation` */
export function scaleOf(unit: Node): Unit {
  const offset = unit.kind === "name" ? unitOf(unit.name) : undefined;
  if (offset?.offset) return offset;
  const { value: factor, dimension } = evaluate(unit);
  return { factor, dimension };
}

function named(name: string): Quantity {
  const constant = CONSTANTS.get(name);
  if (constant) return plain(constant());
  const unit = unitOf(name);
  if (!unit) throw calculationError(`there is neither a unit nor a constant ${JSON.stringify(name)}`);
  if (unit.offset)
    throw calculationError(
      `${name} is a scale that does not begin at zero`,
      `write a number before it, as in 20 ${name}, or convert to it`,
    );
  return { value: unit.factor, dimension: unit.dimension };
}

function span(lo: Quantity, hi: Quantity): Quantity {
  assertSameDimension(lo, hi, "an interval");
  if (compare(lo.value.lo, hi.value.hi) > 0) throw calculationError("the ends of an interval come in their order");
  return { value: { lo: lo.value.lo, hi: hi.value.hi }, dimension: lo.dimension };
}

const SUMS: { readonly [operator in "+" | "-" | "±"]: (a: Interval, b: Interval) => Interval } = {
  "+": addIntervals,
  "-": subtractIntervals,
  "±": (a, b) => {
    if (b.lo.n < 0n) throw calculationError("what stands behind ± is not below zero");
    return { lo: subtractIntervals(a, b).lo, hi: addIntervals(a, b).hi };
  },
};

type Binary = Extract<Node, { readonly kind: "binary" }>;

/** Operators from the left, in a loop: a long sum is no deep recursion. */
function chain(node: Binary): Quantity {
  const rest: Binary[] = [];
  let at: Node = node;
  let value: Quantity | undefined;
  while (at.kind === "binary") {
    value = at.operator === "mod" ? powerMod(at.left, at.right) : undefined;
    if (value) break;
    rest.push(at);
    at = at.left;
  }
  value ??= evaluate(at);
  for (const { operator, right } of rest.toReversed()) value = combine(value, operator, right);
  return value;
}

function combine(left: Quantity, operator: Operator, rightNode: Node): Quantity {
  const absolute = operator === "*" ? onScale(left, rightNode) : undefined;
  if (absolute) return absolute;
  const right = evaluate(rightNode);
  switch (operator) {
    case "+":
    case "-":
    case "±":
      assertSameDimension(left, right, operator);
      return { value: SUMS[operator](left.value, right.value), dimension: left.dimension };
    case "*":
    case "/": {
      const sign = operator === "*" ? 1 : -1;
      return {
        value: (operator === "*" ? multiplyIntervals : divideIntervals)(left.value, right.value),
        dimension: left.dimension.map((exponent, i) => exponent + sign * right.dimension[i]!),
      };
    }
    case "mod":
      return plain(point(modulo(exactOf(left, "mod"), exactOf(right, "mod"))));
    case "^":
      return raise(left, right);
  }
}

const negated = ({ value, dimension }: Quantity): Quantity => ({ value: negateInterval(value), dimension });

/** The name of a scale with a zero of its own, if that is what a node is. */
const scaleNamed = (node: Node): string | undefined => (node.kind === "name" && unitOf(node.name)?.offset ? node.name : undefined);

/** `20 degC`: a temperature on a scale with a zero of its own. */
function onScale(number: Quantity, scale: Node): Quantity | undefined {
  const name = scaleNamed(scale);
  if (name === undefined) return undefined;
  const { factor, offset, dimension } = unitOf(name)!;
  return { value: addIntervals(multiplyIntervals(pureOf(number, name), factor), point(offset!)), dimension };
}

/** `2^(10^20) mod 7`, whose power is never formed. */
function powerMod(left: Node, right: Node): Quantity | undefined {
  if (left.kind !== "binary" || left.operator !== "^") return undefined;
  const [base, exponent, modulus] = [left.left, left.right, right].map((node) => exactOf(evaluate(node), "mod"));
  if (base!.d !== 1n || exponent!.d !== 1n || exponent!.n < 0n || modulus!.d !== 1n || modulus!.n === 0n) return undefined;
  return plain(point(rational(powerModulo(base!.n, exponent!.n, modulus!.n))));
}

function raise(base: Quantity, by: Quantity): Quantity {
  const exponent = pureOf(by, "an exponent");
  if (!isPoint(exponent)) {
    const power = multiplyIntervals(exponent, pureOf(callFunction("ln", [base]), "^"));
    return callFunction("exp", [plain(power)]);
  }
  const { n, d } = exponent.lo;
  const rooted = d === 1n ? base : rootOf(base, d);
  if (rooted.dimension.some((one) => one !== 0) && (n > 1000n || n < -1000n))
    throw calculationLimit("units are raised up to the power 1000");
  return { value: powerOfInterval(rooted.value, n), dimension: rooted.dimension.map((one) => one * Number(n)) };
}
