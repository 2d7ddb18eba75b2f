import { bitcastTo, castTo, roundTo } from "../convert/storage.js";
import { type DType, isFloat } from "../dtype.js";
import type { Node, Tensor } from "../graph.js";
import { full } from "../ops/create.js";
import { cast } from "../ops/cast.js";
import { applyPrimitive } from "../apply-primitive.js";
import { functionOf } from "../primitives/elementwise.js";
import { BINARY, isBinary, isUnary, PRIMITIVES, UNARY } from "../primitives/index.js";
import { sameShape } from "../shape.js";
import { isLeaf, rewriteGraph, type Visit } from "./rewrite.js";

/** The value of a `full`, else undefined. */
function constantOf(t: Tensor): number | undefined {
  return t.node.op === "full" ? (t.node.attrs.value as number) : undefined;
}

/** Elementwise operations of constants become constants, rounded to the dtype of the result as at run time. */
function fold(node: Node, inputs: readonly Tensor[]): Tensor | undefined {
  const { shape, dtype } = node.outputs[0]!;
  const values = inputs.map(constantOf);
  if (values.length === 0 || values.some((v) => v === undefined)) return undefined;
  const [a, b] = values as number[];
  if (PRIMITIVES[node.op]!.view && inputs.length === 1) return full(shape, a!, dtype);
  const from = inputs[0]!.dtype;
  if (node.op === "cast") return full(shape, castTo(roundTo(a!, from), from, dtype), dtype);
  if (node.op === "bitcast") return full(shape, bitcastTo(a!, from, dtype), dtype);
  if (isUnary(node.op)) return full(shape, roundTo(UNARY[node.op].f64(a!), dtype), dtype);
  if (isBinary(node.op)) return full(shape, roundTo(functionOf(BINARY[node.op], inputs[0]!.dtype)(a!, b!), dtype), dtype);
  return undefined;
}

/** True if every value of `narrow` is a value of `wide`, so that a cast there and back changes nothing. */
function widens(narrow: DType, wide: DType): boolean {
  return wide === "f32" ? isFloat(narrow) : wide === "i32" ? !isFloat(narrow) : narrow === wide;
}

/** Identities that hold bit for bit: x·1, x/1, x^1, x-0, double negation, casts there and back, neighbouring movements. */
function cancel(node: Node, inputs: readonly Tensor[]): Tensor | undefined {
  const [x, y] = inputs;
  // A value that lies in memory is taken as it is: what it was made of may be forgotten.
  const inner = x && !isLeaf(x.node) ? x.node : undefined;
  switch (node.op) {
    case "mul":
      return constantOf(y!) === 1 ? x : constantOf(x!) === 1 ? y : undefined;
    case "div":
    case "pow":
      return constantOf(y!) === 1 ? x : undefined;
    case "sub":
      return constantOf(y!) === 0 ? x : undefined;
    case "neg":
      return inner?.op === "neg" ? inner.inputs[0] : undefined;
    case "cast": {
      const dtype = node.attrs.dtype as DType;
      if (x!.dtype === dtype) return x;
      return inner?.op === "cast" && widens(inner.inputs[0]!.dtype, x!.dtype) ? cast(inner.inputs[0]!, dtype) : undefined;
    }
    case "reshape": {
      const source = inner?.op === "reshape" ? inner.inputs[0]! : x!;
      if (sameShape(source.shape, node.outputs[0]!.shape)) return source;
      return source === x ? undefined : applyPrimitive("reshape", [source], node.attrs);
    }
    case "transpose": {
      if (inner?.op !== "transpose") return undefined;
      const [outer, first] = [node.attrs.axes as number[], inner.attrs.axes as number[]];
      const axes = outer.map((i) => first[i]!);
      return axes.every((a, i) => a === i) ? inner.inputs[0] : applyPrimitive("transpose", [inner.inputs[0]!], { axes });
    }
    case "broadcast":
      return inner?.op === "broadcast" ? applyPrimitive("broadcast", [inner.inputs[0]!], node.attrs) : undefined;
    default:
      return undefined;
  }
}

/** What constant folding and bit-exact identities make of one node. */
export const simplifyNode: Visit = (node, inputs) => {
  if (inputs.length === 0 || node.composite) return undefined;
  const result = fold(node, inputs) ?? cancel(node, inputs);
  return result && [result];
};

/** Constant folding and bit-exact identities. */
export const simplify = (outputs: readonly Tensor[]): Tensor[] => rewriteGraph(outputs, simplifyNode);
