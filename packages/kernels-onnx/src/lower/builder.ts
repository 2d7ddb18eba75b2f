import { sameShape, sizeOf } from "@weft/tensor-core";
import type { Graph } from "../model/graph.js";
import { type Attribute, TYPE } from "../model/messages.js";
import { broadcast, type Kind, KIND_TYPE, type Value } from "./value.js";

/** Before the first element of any axis, for a slice that runs backwards. */
const BEFORE_ALL = -(2 ** 40);

/** The steps that lowerings are made of: nodes whose shapes are known when they are made. What would change nothing makes no node. */
export class Builder {
  readonly graph: Graph;

  constructor(graph: Graph) {
    this.graph = graph;
  }

  /** An operator of values that fit together. */
  elementwise(op: string, kind: Kind, operands: readonly Value[], attributes: Readonly<Record<string, Attribute>> = {}): Value {
    const name = this.graph.node(
      op,
      operands.map((v) => v.name),
      attributes,
    );
    return { name, kind, shape: broadcast(operands.map((v) => v.shape)) };
  }

  as(v: Value, kind: Kind): Value {
    return v.kind === kind ? v : this.elementwise("Cast", kind, [v], { to: KIND_TYPE[kind] });
  }

  constant(kind: Kind, value: number): Value {
    const values = kind === "f" ? Float32Array.of(value) : kind === "i" ? Int32Array.of(value) : Uint8Array.of(value === 0 ? 0 : 1);
    return { name: this.graph.constant(KIND_TYPE[kind], [], values), kind, shape: [] };
  }

  /** A vector of int64, as operators take shapes and axes. */
  numbers(values: readonly number[]): string {
    return this.graph.constant(TYPE.i64, [values.length], BigInt64Array.from(values, BigInt));
  }

  reshape(v: Value, shape: readonly number[]): Value {
    if (sameShape(v.shape, shape)) return v;
    return { ...v, name: this.graph.node("Reshape", [v.name, this.numbers(shape)], { allowzero: 1 }), shape };
  }

  expand(v: Value, shape: readonly number[]): Value {
    if (sameShape(v.shape, shape)) return v;
    if (sizeOf(v.shape) === sizeOf(shape)) return this.reshape(v, shape);
    return { ...v, name: this.graph.node("Expand", [v.name, this.numbers(shape)]), shape };
  }

  transpose(v: Value, perm: readonly number[]): Value {
    if (perm.every((p, i) => p === i)) return v;
    return { ...v, name: this.graph.node("Transpose", [v.name], { perm }), shape: perm.map((p) => v.shape[p]!) };
  }

  slice(v: Value, axis: number, start: number, end: number): Value {
    if (start === 0 && end === v.shape[axis]) return v;
    const name = this.graph.node("Slice", [v.name, this.numbers([start]), this.numbers([end]), this.numbers([axis])]);
    return { ...v, name, shape: v.shape.map((d, i) => (i === axis ? end - start : d)) };
  }

  flip(v: Value, axis: number): Value {
    const [from, to] = [this.numbers([v.shape[axis]! - 1]), this.numbers([BEFORE_ALL])];
    return { ...v, name: this.graph.node("Slice", [v.name, from, to, this.numbers([axis]), this.numbers([-1])]) };
  }

  pad(v: Value, low: readonly number[], high: readonly number[], value: number): Value {
    if ([...low, ...high].every((n) => n === 0)) return v;
    if (v.kind === "b") return this.as(this.pad(this.as(v, "i"), low, high, value), "b");
    const name = this.graph.node("Pad", [v.name, this.numbers([...low, ...high]), this.constant(v.kind, value).name]);
    return { ...v, name, shape: v.shape.map((d, i) => d + low[i]! + high[i]!) };
  }

  padAxis(v: Value, axis: number, low: number, high: number): Value {
    const only = (n: number): number[] => v.shape.map((_, i) => (i === axis ? n : 0));
    return this.pad(v, only(low), only(high), 0);
  }

  /** Joined along an axis; all of one kind. */
  concat(parts: readonly Value[], axis: number): Value {
    const filled = parts.filter((v) => sizeOf(v.shape) > 0);
    if (filled.length <= 1) return filled[0] ?? parts[0]!;
    const name = this.graph.node(
      "Concat",
      filled.map((v) => v.name),
      { axis },
    );
    const length = filled.reduce((sum, v) => sum + v.shape[axis]!, 0);
    return { ...filled[0]!, name, shape: filled[0]!.shape.map((d, i) => (i === axis ? length : d)) };
  }

  /** An operator that turns elements along axes into one. */
  reduce(op: string, v: Value, axes: readonly number[]): Value {
    const name = this.graph.node(op, [v.name, this.numbers(axes)], { keepdims: 1 });
    return { ...v, name, shape: v.shape.map((d, i) => (axes.includes(i) ? 1 : d)) };
  }
}
