import { type BinaryOp, type DType, isFloat, type UnaryOp } from "@weft/tensor-core";
import { apply, type Lanes } from "@weft/tensor-core/program";
import type { Builder } from "./builder.js";
import { kindOf, type Value } from "./value.js";

/** Functions of floats that the runtime has, as good as the shared formulas and faster. */
const NATIVE: { readonly [op in UnaryOp | BinaryOp]?: string } = {
  exp: "Exp",
  log: "Log",
  sin: "Sin",
  cos: "Cos",
  tanh: "Tanh",
  erf: "Erf",
  reciprocal: "Reciprocal",
  sign: "Sign",
  pow: "Pow",
};

/** An elementwise primitive of operands of dtype `from`: by an operator of the runtime, else by its formula. */
export function elementwise(
  b: Builder,
  l: Lanes<Value, Value, Value>,
  op: UnaryOp | BinaryOp,
  from: DType,
  operands: readonly Value[],
): Value {
  const native = NATIVE[op];
  if (!native || !isFloat(from)) return apply(l, op, from, operands);
  return b.elementwise(
    native,
    "f",
    operands.map((v) => b.as(v, kindOf(from))),
  );
}
