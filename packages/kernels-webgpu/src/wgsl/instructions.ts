import { type BinaryOp, type DType, type Instruction, isFloat, type ReduceOp, type UnaryOp } from "@weft/tensor-core";
import { decodeBits, encodeValue, registerType, roundTo } from "./storage.js";

const FLOAT_UNARY: Record<UnaryOp, (a: string) => string> = {
  neg: (a) => `-(${a})`,
  abs: (a) => `abs(${a})`,
  sign: (a) => `w_sign(${a})`,
  exp: (a) => `w_exp(${a})`,
  log: (a) => `w_log(${a})`,
  sin: (a) => `w_sin(${a})`,
  cos: (a) => `w_cos(${a})`,
  tanh: (a) => `w_tanh(${a})`,
  erf: (a) => `w_erf(${a})`,
  sqrt: (a) => `sqrt(${a})`,
  rsqrt: (a) => `inverseSqrt(${a})`,
  reciprocal: (a) => `(1.0 / ${a})`,
  floor: (a) => `floor(${a})`,
  ceil: (a) => `ceil(${a})`,
  round: (a) => `round(${a})`,
  not: (a) => `i32(${a} == 0.0)`,
};

/** Not `!=`, which Tint makes an ordered comparison: false for NaN. */
const differ = (a: string, b: string): string => `!(${a} == ${b})`;

const u32 = (a: string): string => `bitcast<u32>(${a})`;

/** Of integers alone. */
const BITS = {
  bitAnd: (a: string, b: string): string => `(${a} & ${b})`,
  bitOr: (a: string, b: string): string => `(${a} | ${b})`,
  bitXor: (a: string, b: string): string => `(${a} ^ ${b})`,
  shiftLeft: (a: string, b: string): string => `select(0, ${a} << (${u32(b)} & 31u), ${u32(b)} < 32u)`,
  shiftRight: (a: string, b: string): string => `(${a} >> min(${u32(b)}, 31u))`,
};

const FLOAT_BINARY: Record<BinaryOp, (a: string, b: string) => string> = {
  add: (a, b) => `${a} + ${b}`,
  sub: (a, b) => `${a} - ${b}`,
  mul: (a, b) => `${a} * ${b}`,
  div: (a, b) => `${a} / ${b}`,
  pow: (a, b) => `w_pow(${a}, ${b})`,
  mod: (a, b) => `w_mod(${a}, ${b})`,
  max: (a, b) => `w_max(${a}, ${b})`,
  min: (a, b) => `w_min(${a}, ${b})`,
  eq: (a, b) => `i32(${a} == ${b})`,
  ne: (a, b) => `i32(${differ(a, b)})`,
  lt: (a, b) => `i32(${a} < ${b})`,
  le: (a, b) => `i32(${a} <= ${b})`,
  and: (a, b) => `i32(${differ(a, "0.0")} && ${differ(b, "0.0")})`,
  or: (a, b) => `i32(${differ(a, "0.0")} || ${differ(b, "0.0")})`,
  ...BITS,
};

const INTEGER_BINARY: Record<BinaryOp, (a: string, b: string) => string> = {
  ...FLOAT_BINARY,
  div: (a, b) => `w_idiv(${a}, ${b})`,
  pow: (a, b) => `w_ipow(${a}, ${b})`,
  mod: (a, b) => `w_imod(${a}, ${b})`,
  max: (a, b) => `max(${a}, ${b})`,
  min: (a, b) => `min(${a}, ${b})`,
  and: (a, b) => `i32(${a} != 0 && ${b} != 0)`,
  or: (a, b) => `i32(${a} != 0 || ${b} != 0)`,
};

/** Integers keep what is exact on them; everything else goes by way of f32. */
function integerUnary(op: UnaryOp, a: string): string {
  if (op === "neg" || op === "abs" || op === "sign") return op === "neg" ? `-(${a})` : `${op}(${a})`;
  if (op === "not") return `i32(${a} == 0)`;
  if (op === "floor" || op === "ceil" || op === "round") return a;
  return `i32(${FLOAT_UNARY[op](`f32(${a})`)})`;
}

function castExpression(from: DType, to: DType, a: string): string {
  if (to === "bool") return isFloat(from) ? `i32(${differ(a, "0.0")})` : `i32(${a} != 0)`;
  if (isFloat(to)) return roundTo(to, isFloat(from) ? a : `f32(${a})`);
  return roundTo(to, isFloat(from) ? `w_to_i32(${a})` : a);
}

/** WGSL for one instruction that only computes, given the names of its operands. Narrow dtypes are rounded. */
export function instructionExpression(i: Instruction, dtypeOf: (value: number) => DType, name: (value: number) => string): string {
  switch (i.op) {
    case "load":
    case "const":
    case "index":
    case "reduce":
      throw new TypeError(`instruction ${i.op} is written by the kernel`);
    case "cast":
      return castExpression(dtypeOf(i.a), i.dtype, name(i.a));
    case "bitcast":
      return decodeBits(i.dtype, encodeValue(dtypeOf(i.a), name(i.a)));
    case "where":
      return `select(${name(i.c)}, ${name(i.b)}, ${name(i.a)} != ${isFloat(dtypeOf(i.a)) ? "0.0" : "0"})`;
    default: {
      const float = isFloat(dtypeOf(i.a));
      const value =
        "b" in i
          ? (float ? FLOAT_BINARY : INTEGER_BINARY)[i.op](name(i.a), name(i.b))
          : float
            ? FLOAT_UNARY[i.op](name(i.a))
            : integerUnary(i.op, name(i.a));
      return i.dtype === "bool" ? value : roundTo(i.dtype, value);
    }
  }
}

/** Start value of a reduction. */
export function reduceStart(how: ReduceOp, dtype: DType): number {
  if (how === "sum") return 0;
  if (how === "prod") return 1;
  if (isFloat(dtype)) return how === "max" ? -Infinity : Infinity;
  return how === "max" ? -(2 ** 31) : 2 ** 31 - 1;
}

/** WGSL that takes one more value into a reduction. */
export function reduceStep(how: ReduceOp, dtype: DType, a: string, b: string): string {
  const op: BinaryOp = how === "sum" ? "add" : how === "prod" ? "mul" : how;
  return (registerType(dtype) === "f32" ? FLOAT_BINARY : INTEGER_BINARY)[op](a, b);
}
