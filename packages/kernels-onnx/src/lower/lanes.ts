import { type LaneMachine, type LaneOp, type Lanes, lanesOf } from "@weft/tensor-core/program";
import { TYPE } from "../model/messages.js";
import type { Builder } from "./builder.js";
import { type Kind, type Value } from "./value.js";

/** Operations that are one operator: its name, the kind of its operands and of its result. */
const SIMPLE: { readonly [op in LaneOp]?: readonly [op: string, from: Kind, to: Kind] } = {
  add: ["Add", "f", "f"],
  sub: ["Sub", "f", "f"],
  mul: ["Mul", "f", "f"],
  div: ["Div", "f", "f"],
  min: ["Min", "f", "f"],
  max: ["Max", "f", "f"],
  neg: ["Neg", "f", "f"],
  abs: ["Abs", "f", "f"],
  sqrt: ["Sqrt", "f", "f"],
  floor: ["Floor", "f", "f"],
  ceil: ["Ceil", "f", "f"],
  nearest: ["Round", "f", "f"],
  eq: ["Equal", "f", "b"],
  lt: ["Less", "f", "b"],
  le: ["LessOrEqual", "f", "b"],
  isNaN: ["IsNaN", "f", "b"],
  iadd: ["Add", "i", "i"],
  isub: ["Sub", "i", "i"],
  imul: ["Mul", "i", "i"],
  imin: ["Min", "i", "i"],
  imax: ["Max", "i", "i"],
  iand: ["BitwiseAnd", "i", "i"],
  ior: ["BitwiseOr", "i", "i"],
  ixor: ["BitwiseXor", "i", "i"],
  ineg: ["Neg", "i", "i"],
  iabs: ["Abs", "i", "i"],
  ieq: ["Equal", "i", "b"],
  ilt: ["Less", "i", "b"],
  ile: ["LessOrEqual", "i", "b"],
  both: ["And", "b", "b"],
  either: ["Or", "b", "b"],
  differ: ["Xor", "b", "b"],
  not: ["Not", "b", "b"],
  bits: ["BitCast", "f", "i"],
  float: ["BitCast", "i", "f"],
};

/** What operators take besides their operands. */
const ATTRIBUTES: { readonly [op in LaneOp]?: Readonly<Record<string, number>> } = { bits: { to: TYPE.i32 }, float: { to: TYPE.f32 } };

/** Prints formulas of elementwise functions as nodes. */
class Printer implements LaneMachine<Value> {
  private readonly b: Builder;
  private readonly l: Lanes<Value, Value, Value>;

  constructor(builder: Builder) {
    this.b = builder;
    this.l = lanesOf(this);
  }

  f32(value: number): Value {
    return this.b.constant("f", value);
  }

  i32(value: number): Value {
    return this.b.constant("i", value);
  }

  op(name: LaneOp, operands: readonly Value[]): Value {
    const { b, l } = this;
    const simple = SIMPLE[name];
    if (simple) {
      const [op, from, to] = simple;
      return b.elementwise(
        op,
        to,
        operands.map((v) => b.as(v, from)),
        ATTRIBUTES[name],
      );
    }
    const [x, y, z] = operands as [Value, Value, Value];
    switch (name) {
      case "trunc":
        return l.select(l.lt(x, l.f32(0)), l.ceil(x), l.floor(x));
      case "ne":
        return l.not(l.eq(x, y));
      case "ine":
        // An integer that is a condition already.
        return x.kind === "b" && y.name === this.i32(0).name ? x : l.not(l.ieq(x, y));
      case "idiv":
        return this.divide(b.as(x, "i"), b.as(y, "i"));
      case "ishl":
        return this.shiftBy(x, y, (a, n) => this.logical("LEFT", a, n), l.i32(0));
      case "ishr":
        return this.shiftBy(x, y, (a, n) => this.arithmetic(a, n), l.iselect(l.ilt(x, l.i32(0)), l.i32(-1), l.i32(0)));
      case "select":
      case "iselect": {
        const kind = name === "select" ? "f" : "i";
        return b.elementwise("Where", kind, [b.as(x, "b"), b.as(y, kind), b.as(z, kind)]);
      }
      case "flag":
        return b.as(x, "b");
      case "toFloat":
        return b.as(x, "f");
      case "toInt":
        return this.truncate(x);
      case "half": {
        const raw = b.elementwise("Cast", "i", [b.as(x, "i")], { to: TYPE.u16 });
        return b.elementwise("Cast", "f", [b.elementwise("BitCast", "f", [raw], { to: TYPE.f16 })], { to: TYPE.f32 });
      }
      default:
        throw new Error(`no operator for ${name}`);
    }
  }

  shift(name: "shl" | "shrS" | "shrU", a: Value, by: number): Value {
    const [x, n] = [this.b.as(a, "i"), this.i32(by)];
    return name === "shrS" ? this.arithmetic(x, n) : this.logical(name === "shl" ? "LEFT" : "RIGHT", x, n);
  }

  /** Toward zero. The hardware traps on 0 and on -2^31 / -1: neither reaches it. */
  private divide(a: Value, by: Value): Value {
    const { l } = this;
    const minusOne = l.ieq(by, l.i32(-1));
    const safe = l.iselect(l.either(minusOne, l.ieq(by, l.i32(0))), l.i32(1), by);
    return l.iselect(minusOne, l.ineg(a), this.b.elementwise("Div", "i", [a, safe]));
  }

  private shiftBy(x: Value, by: Value, shift: (x: Value, by: Value) => Value, outside: Value): Value {
    const { l } = this;
    const inside = l.both(l.ile(l.i32(0), by), l.ile(by, l.i32(31)));
    return l.iselect(inside, shift(this.b.as(x, "i"), l.iand(by, l.i32(31))), outside);
  }

  private logical(direction: "LEFT" | "RIGHT", x: Value, by: Value): Value {
    const unsigned = (v: Value): Value => this.b.elementwise("BitCast", "i", [v], { to: TYPE.u32 });
    const shifted = this.b.elementwise("BitShift", "i", [unsigned(x), unsigned(by)], { direction });
    return this.b.elementwise("BitCast", "i", [shifted], { to: TYPE.i32 });
  }

  /** Negative numbers are shifted as their complement. */
  private arithmetic(x: Value, by: Value): Value {
    const { l } = this;
    const sign = l.iselect(l.ilt(x, l.i32(0)), l.i32(-1), l.i32(0));
    return l.ixor(this.logical("RIGHT", l.ixor(x, sign), by), sign);
  }

  /** The cast of the runtime is right for what i32 holds; NaN compares with nothing. */
  private truncate(x: Value): Value {
    const { b, l } = this;
    const float = b.as(x, "f");
    const below = l.lt(float, l.f32(2 ** 31));
    const inside = l.both(below, l.le(l.f32(-(2 ** 31)), float));
    const cast = b.as(l.select(inside, float, l.f32(0)), "i");
    const low = l.iselect(l.lt(float, l.f32(-(2 ** 31))), l.i32(-(2 ** 31)), cast);
    return l.iselect(l.le(l.f32(2 ** 31), float), l.i32(2 ** 31 - 1), low);
  }
}

export function lanesFor(builder: Builder): Lanes<Value, Value, Value> {
  return lanesOf(new Printer(builder));
}
