import { sameShape, sizeOf } from "@weft/tensor-core";
import type { Graph } from "../model/graph.js";
import { type Attribute, type ElementType, TYPE } from "../model/messages.js";
import { broadcast, type Kind, KIND_TYPE, type Value } from "./value.js";

/** Before the first element of any axis, for a slice that runs backwards. */
const BEFORE_ALL = -(2 ** 40);

/** Elements of a value that is rather held than computed anew. */
const FEW_ELEMENTS = 1 << 12;

/** The steps that lowerings are made of: nodes whose shapes are known when they are made. What would change nothing makes no node. */
export class Builder {
  readonly graph: Graph;
  /** What each value that is another one in another shape is made of. */
  private readonly reshaped = new Map<string, Value>();

  constructor(graph: Graph) {
    this.graph = graph;
  }

  /** An operator of values that fit together. */
  elementwise(op: string, kind: Kind, operands: readonly Value[], attributes: Readonly<Record<string, Attribute>> = {}): Value {
    const shape = broadcast(operands.map((v) => v.shape));
    return { name: this.node(op, operands, [], shape, attributes), kind, shape };
  }

  as(v: Value, kind: Kind): Value {
    return v.kind === kind ? v : this.cast(v, kind, KIND_TYPE[kind]);
  }

  /** As an element type of the kind. */
  cast(v: Value, kind: Kind, to: ElementType): Value {
    return this.elementwise("Cast", kind, [v], { to });
  }

  constant(kind: Kind, value: number): Value {
    const values = kind === "f" ? Float32Array.of(value) : kind === "i" ? Int32Array.of(value) : Uint8Array.of(value === 0 ? 0 : 1);
    return { name: this.graph.constant(KIND_TYPE[kind], [], values), kind, shape: [] };
  }

  /** An operator of values, and of constants behind them, whose result has a shape. */
  private node(
    op: string,
    values: readonly Value[],
    constants: readonly string[],
    shape: readonly number[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    return this.graph.node(op, [...values.map(({ name }) => name), ...constants], attributes, "", sizeOf(shape) <= FEW_ELEMENTS);
  }

  /** A vector of int64, as operators take shapes and axes. */
  numbers(values: readonly number[]): string {
    return this.graph.constant(TYPE.i64, [values.length], BigInt64Array.from(values, BigInt));
  }

  reshape(v: Value, shape: readonly number[]): Value {
    if (sameShape(v.shape, shape)) return v;
    const from = this.reshaped.get(v.name) ?? v;
    if (sameShape(from.shape, shape)) return from;
    const made = { ...from, name: this.node("Reshape", [from], [this.numbers(shape)], shape, { allowzero: 1 }), shape };
    this.reshaped.set(made.name, from);
    return made;
  }

  expand(v: Value, shape: readonly number[]): Value {
    if (sameShape(v.shape, shape)) return v;
    if (sizeOf(v.shape) === sizeOf(shape)) return this.reshape(v, shape);
    return { ...v, name: this.node("Expand", [v], [this.numbers(shape)], shape), shape };
  }

  transpose(v: Value, perm: readonly number[]): Value {
    if (perm.every((p, i) => p === i)) return v;
    const shape = perm.map((p) => v.shape[p]!);
    return { ...v, name: this.node("Transpose", [v], [], shape, { perm }), shape };
  }

  slice(v: Value, axis: number, start: number, end: number): Value {
    if (start === 0 && end === v.shape[axis]) return v;
    const shape = v.shape.map((d, i) => (i === axis ? end - start : d));
    return { ...v, name: this.node("Slice", [v], [this.numbers([start]), this.numbers([end]), this.numbers([axis])], shape), shape };
  }

  flip(v: Value, axis: number): Value {
    const [from, to] = [this.numbers([v.shape[axis]! - 1]), this.numbers([BEFORE_ALL])];
    return { ...v, name: this.node("Slice", [v], [from, to, this.numbers([axis]), this.numbers([-1])], v.shape) };
  }

  pad(v: Value, low: readonly number[], high: readonly number[], value: number): Value {
    if ([...low, ...high].every((n) => n === 0)) return v;
    if (v.kind === "b") return this.as(this.pad(this.as(v, "i"), low, high, value), "b");
    const shape = v.shape.map((d, i) => d + low[i]! + high[i]!);
    return { ...v, name: this.node("Pad", [v], [this.numbers([...low, ...high]), this.constant(v.kind, value).name], shape), shape };
  }

  padAxis(v: Value, axis: number, low: number, high: number): Value {
    const only = (n: number): number[] => v.shape.map((_, i) => (i === axis ? n : 0));
    return this.pad(v, only(low), only(high), 0);
  }

  /** Joined along an axis; all of one kind. */
  concat(parts: readonly Value[], axis: number): Value {
    const filled = parts.filter((v) => sizeOf(v.shape) > 0);
    if (filled.length <= 1) return filled[0] ?? parts[0]!;
    const length = filled.reduce((sum, v) => sum + v.shape[axis]!, 0);
    const shape = filled[0]!.shape.map((d, i) => (i === axis ? length : d));
    return { ...filled[0]!, name: this.node("Concat", filled, [], shape, { axis }), shape };
  }

  /** An operator that turns elements along axes into one; the axes stay with length 1, or go. */
  reduce(op: string, v: Value, axes: readonly number[], stay: boolean = true): Value {
    const shape = v.shape.flatMap((d, i) => (axes.includes(i) ? (stay ? [1] : []) : [d]));
    return { ...v, name: this.node(op, [v], [this.numbers(axes)], shape, { keepdims: Number(stay) }), shape };
  }
}
