import { bytesPerElement, decode, type DType, encode, isFloat, type Node, PRIMITIVES, roundTo, type Tensor } from "@weft/tensor-core";
import {
  argreduceBounds,
  argsortBounds,
  dynamicSliceBounds,
  gatherBounds,
  reduceBounds,
  scanBounds,
  scatterAddBounds,
  updateBounds,
} from "./along-axis.js";
import { type Bounds, isPoint, point, stored, Writer } from "./bounds.js";
import { binaryBounds, unaryBounds, whereBounds } from "./elementwise.js";
import { concatBounds, movementBounds } from "./movement.js";
import { convBounds, matmulBounds } from "./products.js";
import { UNIT } from "./sums.js";

/**
 * Bounds of every result of a graph, node by node in f64, without plans, fusion or kernels. A composite has those of its decomposition; the casts
 * in it are taken as made or not made, since a kernel of its own may stay in f32.
 */
export class Evaluator {
  private readonly known = new Map<Node, readonly Bounds[]>();

  of(t: Tensor): Bounds {
    // Iterative: gradients of chains are deep.
    const stack: { readonly t: Tensor; readonly loose: boolean; readonly packed: boolean }[] = [{ t, loose: false, packed: false }];
    while (stack.length > 0) {
      const { t: top, loose, packed } = stack.at(-1)!;
      const open = this.known.has(top.node) ? [] : inputsOf(top.node).filter((x) => !this.known.has(x.node));
      if (open.length > 0) {
        const { composite } = top.node;
        const within = { loose: loose || composite !== undefined, packed: packed || composite?.definition.name === "dequantize" };
        stack.push(...open.map((x) => ({ t: x, ...within })));
        continue;
      }
      if (!this.known.has(top.node)) this.known.set(top.node, this.evaluate(top.node, loose, packed));
      stack.pop();
    }
    return this.known.get(t.node)![t.index]!;
  }

  /** @param loose it belongs to a composite @param packed to the values of a packed weight, whose scales a product may multiply with in another order */
  private evaluate(node: Node, loose: boolean, packed: boolean): readonly Bounds[] {
    const get = (t: Tensor): Bounds => this.known.get(t.node)![t.index]!;
    if (node.composite) return node.composite.decomposition.map(get);
    const { dtype } = node.outputs[0]!;
    if (node.op === "constant") return [point(decode(node.bytes!, dtype))];
    const inputs = node.inputs.map(get);
    const raw = primitiveBounds(node, inputs);
    if (node.op === "cast") return [castBounds(raw, node.inputs[0]!.dtype, dtype, loose)];
    if (MOVES.has(node.op)) return [raw];
    return [stored(packed && node.op === "mul" && isFloat(dtype) ? scaledBounds(raw, inputs) : raw, dtype)];
  }
}

/** Steps of a scale that the halves of an eight-bit code, multiplied one by one, may be apart. */
const HALVES = 32;

/** A product of a code or number with a scale, where a kernel may round once more, and may take a code for two of four bits. */
function scaledBounds(product: Bounds, factors: readonly Bounds[]): Bounds {
  const result = new Writer(product.lo.length);
  const size = ({ lo, hi }: Bounds, i: number): number => Math.max(Math.abs(lo[i]!), Math.abs(hi[i]!));
  for (let i = 0; i < product.lo.length; i++) {
    const scale = Math.min(...factors.map((f) => size(f, i)));
    result.set(i, product.lo[i]!, product.hi[i]!, UNIT * (size(product, i) + HALVES * scale));
  }
  return result;
}

const MOVES = new Set([
  "dynamicSlice",
  "update",

  "reshape",
  "transpose",
  "broadcast",
  "slice",
  "flip",
  "pad",
  "concat",
  "gather",
  "lookup",
  "stopGradient",
  "barrier",
  "random",
]);

const inputsOf = (node: Node): readonly Tensor[] => node.composite?.decomposition ?? node.inputs;

/** A cast rounds once; what lies between bounds may have been rounded before or not. */
function castBounds(x: Bounds, from: DType, to: DType, loose: boolean): Bounds {
  const result = new Writer(x.lo.length);
  for (let i = 0; i < x.lo.length; i++) {
    const [a, b] = [x.lo[i]!, x.hi[i]!];
    const [low, high] = [roundTo(a, to), roundTo(b, to)];
    if (isPoint(x, i) && !loose) {
      if (Math.abs(a) < 2 ** -126 && a !== 0) result.set(i, Math.min(low, 0), Math.max(low, 0));
      else result.exactly(i, low);
    } else if (to === "bool") result.set(i, a <= 0 && b >= 0 ? 0 : 1, a === 0 && b === 0 ? 0 : 1);
    else if (!Number.isFinite(a) || !Number.isFinite(b) || !Number.isFinite(low) || !Number.isFinite(high)) result.anything(i);
    else if (low > high) result.anything(i);
    else if (["f32", "f16", "bf16", "f8e4m3", "f8e5m2"].includes(to)) result.set(i, Math.min(a, low), Math.max(b, high));
    else result.set(i, low, high);
  }
  return from === to ? x : result;
}

/** Of a NaN only that it is one is kept; subnormal numbers may be flushed. */
function bitcastBounds(x: Bounds, from: DType, to: DType): Bounds {
  const result = new Writer(x.lo.length);
  for (let i = 0; i < x.lo.length; i++) {
    const value = x.lo[i]!;
    const bits = new Uint8Array(4);
    bits.set(encode([value], from));
    const [read] = decode(bits.subarray(0, bytesPerElement(to)), to);
    const small = (v: number, dtype: DType): boolean => isFloat(dtype) && v !== 0 && Math.abs(v) < 2 ** -126;
    if (isPoint(x, i) && value === value && !small(value, from) && !small(read!, to)) result.exactly(i, read!);
    else result.anything(i);
  }
  return result;
}

function primitiveBounds(node: Node, inputs: readonly Bounds[]): Bounds {
  const { op, attrs } = node;
  const shapes = node.inputs.map((t) => t.shape);
  const { shape, dtype } = node.outputs[0]!;
  const [x, y, z] = inputs as [Bounds, Bounds, Bounds];
  const count = shape.reduce((a, b) => a * b, 1);
  switch (op) {
    case "full":
      return point(new Float64Array(count).fill(roundTo(attrs.value as number, dtype)));
    case "iota": {
      const inner = shape.slice((attrs.axis as number) + 1).reduce((a, b) => a * b, 1);
      return point(Float64Array.from({ length: count }, (_, i) => Math.floor(i / inner) % shape[attrs.axis as number]!));
    }
    case "cast":
      return x;
    case "bitcast":
      return bitcastBounds(x, node.inputs[0]!.dtype, dtype);
    case "where":
      return whereBounds(x, y, z);
    case "reduce":
      return reduceBounds(x, shapes[0]!, attrs, dtype);
    case "argreduce":
      return argreduceBounds(x, shapes[0]!, attrs);
    case "matmul":
      return matmulBounds(inputs, shapes, shape);
    case "conv":
      return convBounds(inputs, shapes, shape, attrs);
    case "concat":
      return concatBounds(inputs, shapes, attrs.axis as number, shape);
    case "gather":
      return gatherBounds({ x, index: y, shape: shapes[0]!, picks: y.lo.length, axis: attrs.axis as number });
    case "lookup":
      return gatherBounds({ x, index: y, shape: shapes[0]!, picks: y.lo.length, axis: 0 });
    case "scatterAdd":
      return scatterAddBounds({ x, index: y, shape, picks: y.lo.length, axis: attrs.axis as number }, z, dtype);
    case "scan":
      return scanBounds(x, y, shape, attrs, dtype);
    case "argsort":
      return argsortBounds(x, shape, attrs);
    case "dynamicSlice":
      return dynamicSliceBounds(x, y, shapes[0]!, shape, attrs);
    case "update":
      return updateBounds(x, y, z, shapes, attrs);
    case "random": {
      const key = { values: x.lo, shape: [2] };
      return isPoint(x, 0) && isPoint(x, 1)
        ? point(Float64Array.from(PRIMITIVES.random!.reference!([key], attrs, { shape })))
        : open(count);
    }
    default: {
      const found =
        movementBounds(op, attrs, x, shapes[0]!, node.outputs[0]!) ??
        unaryBounds(op, x) ??
        (y && binaryBounds(op, x, y, node.inputs[0]!.dtype));
      if (found) return found;
      throw new Error(`tests/fuzz/src/bounds has no rule for the primitive "${op}"${op in PRIMITIVES ? "" : ", which is none"}`);
    }
  }
}

function open(count: number): Bounds {
  const result = new Writer(count);
  for (let i = 0; i < count; i++) result.anything(i);
  return result;
}
