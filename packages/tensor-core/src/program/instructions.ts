import { roundTo } from "../convert/storage.js";
import { assertDType, type DType, isFloat } from "../dtype.js";
import type { Instruction } from "../plan/plan.js";
import type { BinaryOp, UnaryOp } from "../primitives/index.js";
import * as lanes from "../primitives/lanes.js";
import { type AnyLanes, isNonzero, isTrue } from "./formula.js";
import { type Lanes, lanesOf } from "./lanes.js";
import { decodeSmallFloat, encodeSmallFloat, isSmallFloat } from "./small-floats.js";

/** Lanes whose operands have one representation for f32, i32 and conditions. */
type Registers<V> = Lanes<V, V, V>;

const FORMULAS: Readonly<Record<UnaryOp | BinaryOp, AnyLanes>> = lanes;

/** Instructions that only compute. */
export type Computed = Exclude<Instruction, { op: "load" | "lookup" | "index" | "reduce" }>;
type Elementwise = Extract<Instruction, { op: UnaryOp | BinaryOp }>;

/** The value of one instruction from those of its operands. `dtypeOf` gives those of the program's instructions. */
export function compute<V>(l: Registers<V>, i: Computed, value: (index: number) => V, dtypeOf: (index: number) => DType): V {
  switch (i.op) {
    case "const":
      return isFloat(i.dtype) ? l.f32(roundTo(i.value, i.dtype)) : l.i32(roundTo(i.value, i.dtype));
    case "cast":
      return convert(l, value(i.a), dtypeOf(i.a), i.dtype);
    case "bitcast":
      return bitcast(l, value(i.a), dtypeOf(i.a), i.dtype);
    case "where": {
      const choose = isFloat(i.dtype) ? l.select : l.iselect;
      return choose(truth(l, value(i.a), dtypeOf(i.a)), value(i.b), value(i.c));
    }
    default:
      return apply(l, i.op, dtypeOf(i.a), "b" in i ? [value(i.a), value(i.b)] : [value(i.a)]);
  }
}

/** An elementwise primitive on registers of operands of dtype `from`. */
export function apply<V>(l: Registers<V>, op: UnaryOp | BinaryOp, from: DType, operands: readonly V[]): V {
  const { float, integer, test }: AnyLanes = FORMULAS[op];
  if (isFloat(from)) return test ? l.flag(float!(l, ...operands)) : float!(l, ...operands);
  if (!integer) return l.toInt(float!(l, ...operands.map((x) => l.toFloat(x))));
  return test ? l.flag(integer(l, ...operands)) : integer(l, ...operands);
}

function truth<V>(l: Registers<V>, a: V, dtype: DType): V {
  return isFloat(dtype) ? isTrue(l, a) : isNonzero(l, a);
}

/** Between registers. A float becomes an integer by truncation (saturating at the limits of i32), then wraps to the width of `to`. */
export function convert<V>(l: Registers<V>, a: V, from: DType, to: DType): V {
  if (to === "bool") return from === "bool" ? a : l.flag(truth(l, a, from));
  if (isFloat(to)) {
    const wide = isFloat(from) ? a : l.toFloat(a);
    return to === from ? wide : roundRegister(l, wide, to);
  }
  return roundRegister(l, isFloat(from) ? l.toInt(a) : a, to);
}

/** The stored bits of a register value of dtype `from`, read as `to`. */
function bitcast<V>(l: Registers<V>, a: V, from: DType, to: DType): V {
  const raw = from === "f32" ? l.bits(a) : encode(l, a, from, from);
  if (to === "f32") return l.float(raw);
  return isSmallFloat(to) ? decodeSmallFloat(l, raw, to) : roundRegister(l, raw, to);
}

/** A register value as the nearest that `dtype` holds; integers wrap. */
export function roundRegister<V>(l: Registers<V>, a: V, dtype: DType): V {
  assertDType(dtype);
  if (isSmallFloat(dtype)) return decodeSmallFloat(l, encodeSmallFloat(l, a, dtype), dtype);
  if (dtype === "u8") return l.iand(a, l.i32(0xff));
  return dtype === "i8" ? l.shrS(l.shl(a, 24), 24) : a;
}

/** Stored bits (zero-extended; i8 sign-extended) as a register value. */
export function decode<V>(l: Registers<V>, raw: V, dtype: DType): V {
  assertDType(dtype);
  if (isSmallFloat(dtype)) return decodeSmallFloat(l, raw, dtype);
  return dtype === "bool" ? l.flag(isNonzero(l, raw)) : raw;
}

/** A register value of dtype `from` as stored bits of dtype `to` in the low end; floats are rounded to nearest even. */
export function encode<V>(l: Registers<V>, value: V, from: DType, to: DType): V {
  if (isSmallFloat(to)) return encodeSmallFloat(l, isFloat(from) ? value : l.toFloat(value), to);
  const wide = convert(l, value, from, to);
  return to === "i8" || to === "u8" ? l.iand(wide, l.i32(0xff)) : wide;
}

/** Operations from which on a value is worth 16 bytes of traffic rather than computing it twice. */
const HEAVY = 10;
const lengths = new Map<string, number>();

/** Whether an instruction takes long to compute. */
export function isHeavy(i: Instruction): boolean {
  return (
    "a" in i && i.op !== "cast" && i.op !== "bitcast" && i.op !== "where" && i.op !== "reduce" && i.op !== "lookup" && lengthOf(i) >= HEAVY
  );
}

/** Number of operations in the formula of an instruction. */
function lengthOf({ op }: Elementwise): number {
  let length = lengths.get(op);
  if (length === undefined) {
    length = 0;
    const counted = lanesOf<number>({ f32: () => 0, i32: () => 0, op: () => length!++, shift: () => length!++ });
    apply(counted, op, FORMULAS[op].float ? "f32" : "i32", [0, 0]);
    lengths.set(op, length);
  }
  return length;
}
