import { type DType, isFloat, sameShape } from "@weft/tensor-core";
import { type ElementType, TYPE } from "../model/messages.js";

/** How a value is computed with: `f` as float, `i` as int32, `b` as bool. An integer that is 0 or 1 may be `b`, too. */
export type Kind = "f" | "i" | "b";

/** A value in the graph. */
export interface Value {
  readonly name: string;
  readonly kind: Kind;
  /** As the graph has it; axes along which all elements are the same may have length 1. */
  readonly shape: readonly number[];
}

export const KIND_TYPE: Readonly<Record<Kind, ElementType>> = { f: TYPE.f32, i: TYPE.i32, b: TYPE.bool };

/** The kind that elements of a dtype are computed with. */
export const kindOf = (dtype: DType): Kind => (isFloat(dtype) ? "f" : dtype === "bool" ? "b" : "i");

/** The shape that values of these shapes have together, aligned at their last axes; they are known to fit. */
export function broadcast(shapes: readonly (readonly number[])[]): readonly number[] {
  const [first, ...rest] = shapes;
  if (first && rest.every((shape) => sameShape(shape, first))) return first;
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => shapes.map((shape) => shape[shape.length - rank + axis] ?? 1).find((d) => d !== 1) ?? 1);
}
