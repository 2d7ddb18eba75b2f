import { type DType, isFloat, promote } from "../dtype.js";
import { cast } from "./cast.js";
import { DTypeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import type { BinaryOp, UnaryOp } from "../primitives/index.js";
import { applyPrimitive } from "../apply-primitive.js";
import { broadcastShapes } from "../shape.js";
import { full } from "./create.js";
import { broadcastTo } from "./movement.js";

/** A tensor, or a number that takes the dtype of its partner; f32 or i32 where that cannot hold it. */
export type Operandish = Tensor | number;

function tensorOf(x: Operandish, partner: Operandish): Tensor {
  if (typeof x !== "number") return x;
  const dtype = typeof partner === "number" ? "f32" : partner.dtype;
  if (!isFloat(dtype) && !Number.isInteger(x)) return full([], x, "f32");
  return full([], x, dtype === "bool" && x !== 0 && x !== 1 ? "i32" : dtype);
}

function binary(op: BinaryOp, x: Operandish, y: Operandish, dtype?: DType): Tensor {
  const [a, b] = [tensorOf(x, y), tensorOf(y, x)];
  const common = dtype ?? promote(a.dtype, b.dtype);
  const shape = broadcastShapes(op, a.shape, b.shape);
  return applyPrimitive(op, [broadcastTo(cast(a, common), shape), broadcastTo(cast(b, common), shape)]);
}

/** Arithmetic of bool is that of 0 and 1 in i32, and its result true where that is not 0: true + true and -true are true. */
function arithmetic(op: BinaryOp, x: Operandish, y: Operandish): Tensor {
  const [a, b] = [tensorOf(x, y), tensorOf(y, x)];
  if (a.dtype !== "bool" || b.dtype !== "bool") return binary(op, a, b);
  return cast(binary(op, cast(a, "i32"), cast(b, "i32")), "bool");
}

/** Elementwise functions of floats; integers are taken as f32. */
function floatUnary(op: UnaryOp): (x: Tensor) => Tensor {
  return (x) => applyPrimitive(op, [isFloat(x.dtype) ? x : cast(x, "f32")]);
}

/** a + b. Operands broadcast by NumPy's rule and promote as in torch; the same holds for all functions of two tensors. */
export const add = (a: Operandish, b: Operandish): Tensor => arithmetic("add", a, b);
/** a − b, with the rules of `add`. */
export const sub = (a: Operandish, b: Operandish): Tensor => arithmetic("sub", a, b);
/** a · b, element by element, with the rules of `add`. */
export const mul = (a: Operandish, b: Operandish): Tensor => arithmetic("mul", a, b);
/** a / b; integers divide toward zero. */
export const div = (a: Operandish, b: Operandish): Tensor => arithmetic("div", a, b);
/** a to the power of b. */
export const pow = (a: Operandish, b: Operandish): Tensor => arithmetic("pow", a, b);
/** Remainder with the sign of the divisor (Python's %). */
export const mod = (a: Operandish, b: Operandish): Tensor => arithmetic("mod", a, b);
/** The larger of a and b, element by element; NaN where one of them is. */
export const maximum = (a: Operandish, b: Operandish): Tensor => arithmetic("max", a, b);
/** The smaller of a and b, element by element; NaN where one of them is. */
export const minimum = (a: Operandish, b: Operandish): Tensor => arithmetic("min", a, b);
/** a = b, element by element, as bool. NaN equals nothing. */
export const equal = (a: Operandish, b: Operandish): Tensor => binary("eq", a, b);
/** a ≠ b, element by element, as bool. */
export const notEqual = (a: Operandish, b: Operandish): Tensor => binary("ne", a, b);
/** a < b, element by element, as bool. */
export const less = (a: Operandish, b: Operandish): Tensor => binary("lt", a, b);
/** a ≤ b, element by element, as bool. */
export const lessEqual = (a: Operandish, b: Operandish): Tensor => binary("le", a, b);
/** a > b, element by element, as bool. */
export const greater = (a: Operandish, b: Operandish): Tensor => binary("lt", b, a);
/** a ≥ b, element by element, as bool. */
export const greaterEqual = (a: Operandish, b: Operandish): Tensor => binary("le", b, a);
/** Whether both are true, element by element; what is not 0 is true. */
export const logicalAnd = (a: Tensor, b: Tensor): Tensor => binary("and", a, b, "bool");
/** Whether one is true, element by element; what is not 0 is true. */
export const logicalOr = (a: Tensor, b: Tensor): Tensor => binary("or", a, b, "bool");
/** Bit by bit, of integers (torch `bitwise_and`); `logicalAnd` asks whether both are true. @throws DTypeError for floats */
export const bitAnd = (a: Operandish, b: Operandish): Tensor => binary("bitAnd", a, b);
/** Bit by bit, of integers (torch `bitwise_or`). @throws DTypeError for floats */
export const bitOr = (a: Operandish, b: Operandish): Tensor => binary("bitOr", a, b);
/** Bit by bit, of integers (torch `bitwise_xor`). @throws DTypeError for floats */
export const bitXor = (a: Operandish, b: Operandish): Tensor => binary("bitXor", a, b);
/** a · 2^b of integers, wrapping; 0 for b outside 0 … 31, as in torch. */
export const shiftLeft = (a: Operandish, b: Operandish): Tensor => binary("shiftLeft", a, b);
/** ⌊a / 2^b⌋ of integers (the sign is shifted in); the sign alone for b outside 0 … 31, as in torch. */
export const shiftRight = (a: Operandish, b: Operandish): Tensor => binary("shiftRight", a, b);
/** Whether an element is 0, as bool. */
export const logicalNot = (x: Tensor): Tensor => applyPrimitive("not", [cast(x, "bool")]);

/** −x. */
export const neg = (x: Tensor): Tensor => (x.dtype === "bool" ? cast(neg(cast(x, "i32")), "bool") : applyPrimitive("neg", [x]));
/** |x|. */
export const abs = (x: Tensor): Tensor => applyPrimitive("abs", [x]);
/** −1, 0 or 1, by the sign of x. */
export const sign = (x: Tensor): Tensor => applyPrimitive("sign", [x]);
/** eˣ; of integers as f32. */
export const exp: (x: Tensor) => Tensor = floatUnary("exp");
/** Natural logarithm. */
export const log: (x: Tensor) => Tensor = floatUnary("log");
/** sin x, x in radians; of integers as f32. */
export const sin: (x: Tensor) => Tensor = floatUnary("sin");
/** cos x, x in radians; of integers as f32. */
export const cos: (x: Tensor) => Tensor = floatUnary("cos");
/** The hyperbolic tangent of x; of integers as f32. */
export const tanh: (x: Tensor) => Tensor = floatUnary("tanh");
/** Gauss error function. */
export const erf: (x: Tensor) => Tensor = floatUnary("erf");
/** √x; NaN below 0. Of integers as f32. */
export const sqrt: (x: Tensor) => Tensor = floatUnary("sqrt");
/** 1 / √x. */
export const rsqrt: (x: Tensor) => Tensor = floatUnary("rsqrt");
/** 1 / x. */
export const reciprocal: (x: Tensor) => Tensor = floatUnary("reciprocal");
/** The largest whole number that is not above x. */
export const floor: (x: Tensor) => Tensor = floatUnary("floor");
/** The smallest whole number that is not below x. */
export const ceil: (x: Tensor) => Tensor = floatUnary("ceil");
/** To the nearest integer, ties to even. */
export const round: (x: Tensor) => Tensor = floatUnary("round");
/** x². */
export const square = (x: Tensor): Tensor => mul(x, x);
/** 1 / (1 + e^-x). */
export const sigmoid = (x: Tensor): Tensor => reciprocal(add(exp(neg(x)), 1));
/** x · sigmoid(x), the activation of Llama's MLP (torch `F.silu`). */
export const silu = (x: Tensor): Tensor => div(x, add(exp(neg(x)), 1));
/** max(x, 0). */
export const relu = (x: Tensor): Tensor => maximum(x, 0);
/** x · Φ(x), exact (torch `F.gelu`). */
export const gelu = (x: Tensor): Tensor => mul(mul(x, 0.5), add(erf(mul(x, Math.SQRT1_2)), 1));

/** condition ? a : b, elementwise. */
export function where(condition: Tensor, x: Operandish, y: Operandish): Tensor {
  const [a, b] = [tensorOf(x, y), tensorOf(y, x)];
  const dtype = promote(a.dtype, b.dtype);
  const shape = broadcastShapes("where", condition.shape, broadcastShapes("where", a.shape, b.shape));
  if (condition.dtype !== "bool") throw new DTypeError(`where: the condition must be bool, got ${condition.dtype}`);
  return applyPrimitive("where", [broadcastTo(condition, shape), broadcastTo(cast(a, dtype), shape), broadcastTo(cast(b, dtype), shape)]);
}

/** The same values; gradients stop here. */
export const stopGradient = (x: Tensor): Tensor => applyPrimitive("stopGradient", [x]);
/** The same values, computed only after `after` is known; never merged with an equal expression (recomputation). */
export const barrier = (x: Tensor, after: Tensor): Tensor => applyPrimitive("barrier", [x, after]);
