import { type Box, boxShape, whole } from "../box.js";
import { type Node, type Tensor, topologicalOrder } from "../graph.js";
import { cut } from "../ops/cut.js";
import { BINARY, UNARY } from "../plan/plan.js";
import { applyPrimitive } from "../primitives.js";
import { type Shape, sizeOf } from "../shape.js";
import { graphInputs, isLeaf, rewriteGraph } from "./rewrite.js";

const POINTWISE = new Set<string>([...UNARY, ...BINARY, "where", "cast", "stopGradient"]);

/** Where the axes of `from` that are longer than 1 lie in `to`, if a reshape only adds or drops axes of length 1. */
function sameAxes(from: Shape, to: Shape): number[] | undefined {
  const long = (shape: Shape): number[] => shape.flatMap((d, i) => (d === 1 ? [] : [i]));
  const [a, b] = [long(from), long(to)];
  if (a.length !== b.length || a.some((axis, i) => from[axis] !== to[b[i]!])) return undefined;
  return from.map((_, axis) => (a.includes(axis) ? b[a.indexOf(axis)]! : -1));
}

/**
 * Rows of a reshape that leaves the outermost axis alone, or makes it of several: the reshape of the entries of the outermost axis of
 * `x` that hold them, cut to the rows. Undefined if those are all, or if there is no such axis.
 */
function reshapeRows(x: Tensor, shape: Shape, box: Box): Tensor | undefined {
  const merged = x.shape.findIndex((_, i) => sizeOf(x.shape.slice(0, i + 1)) === shape[0]) + 1;
  const rest = box.slice(1).every(({ size }, i) => size === shape[i + 1]);
  const { start, size, step } = box[0] ?? whole(0);
  if (merged === 0 || !rest || size === 0) return undefined;
  const each = sizeOf(x.shape.slice(1, merged));
  const first = Math.floor(start / each);
  const count = Math.floor((start + (size - 1) * step) / each) + 1 - first;
  if (count === x.shape[0]) return undefined;
  const rows = applyPrimitive("reshape", [cut(x, [{ start: first, size: count, step: 1 }, ...x.shape.slice(1).map(whole)])], {
    shape: [count * each, ...shape.slice(1)],
  });
  return cut(rows, [{ start: start - first * each, size, step }, ...box.slice(1)]);
}

/** The slice `box` of a call's result as a call on slices of its inputs; undefined where it does not go through. */
function push({ op, attrs, inputs, outputs, composite }: Node, box: Box): Tensor | undefined {
  if (composite) return composite.definition.slice?.(inputs, attrs, box);
  const shape = outputs[0]!.shape;
  const rank = shape.length;
  if (POINTWISE.has(op))
    return applyPrimitive(
      op,
      inputs.map((t) => cut(t, box)),
      attrs,
    );
  const [x, y] = inputs;
  switch (op) {
    case "full":
      return applyPrimitive("full", [], { ...attrs, shape: boxShape(box) });
    case "transpose": {
      const axes = attrs.axes as number[];
      return applyPrimitive(
        "transpose",
        [
          cut(
            x!,
            axes.map((_, i) => box[axes.indexOf(i)]!),
          ),
        ],
        { axes },
      );
    }
    case "broadcast":
      return applyPrimitive(
        "broadcast",
        [
          cut(
            x!,
            box.map((r, i) => (x!.shape[i] === shape[i] ? r : whole(1))),
          ),
        ],
        { shape: boxShape(box) },
      );
    case "slice": {
      const [start, step] = [attrs.start as number[], attrs.step as number[]];
      return cut(
        x!,
        box.map((r, i) => ({ start: start[i]! + r.start * step[i]!, size: r.size, step: step[i]! * r.step })),
      );
    }
    case "matmul": {
      const lead = box.slice(0, -2);
      const k = whole(x!.shape[rank - 1]!);
      return applyPrimitive("matmul", [cut(x!, [...lead, box[rank - 2]!, k]), cut(y!, [...lead, k, box[rank - 1]!])]);
    }
    case "reshape": {
      const axes = sameAxes(x!.shape, shape);
      if (!axes) return reshapeRows(x!, shape, box);
      return applyPrimitive(
        "reshape",
        [
          cut(
            x!,
            x!.shape.map((d, i) => (axes[i] === -1 ? whole(d) : box[axes[i]!]!)),
          ),
        ],
        { shape: boxShape(box) },
      );
    }
    case "reduce": {
      const axes = attrs.axes as number[];
      let kept = 0;
      return applyPrimitive(
        "reduce",
        [
          cut(
            x!,
            x!.shape.map((d, i) => (axes.includes(i) ? whole(d) : box[kept++]!)),
          ),
        ],
        attrs,
      );
    }
    case "gather": {
      const axis = attrs.axis as number;
      const behind = axis + y!.shape.length;
      const table = [...box.slice(0, axis), whole(x!.shape[axis]!), ...box.slice(behind)];
      return applyPrimitive("gather", [cut(x!, table), cut(y!, box.slice(axis, behind))], attrs);
    }
    default:
      return undefined;
  }
}

/** Nodes that are used by slices alone, which together take no more than there is: computing only those parts never costs more. */
function sliceable(outputs: readonly Tensor[]): Set<Node> {
  const taken = new Map<Node, Map<string, number>>();
  const take = (t: Tensor, box: string, elements: number): void =>
    void taken.set(t.node, (taken.get(t.node) ?? new Map<string, number>()).set(box, elements));
  for (const t of outputs) take(t, "all", Infinity);
  for (const node of topologicalOrder(outputs, graphInputs)) {
    const sliced = node.op === "slice";
    for (const t of graphInputs(node))
      take(t, sliced ? JSON.stringify(node.attrs) : "all", sliced ? sizeOf(node.outputs[0]!.shape) : Infinity);
  }
  const fits = ([node, boxes]: [Node, Map<string, number>]): boolean =>
    !isLeaf(node) && [...boxes.values()].reduce((a, b) => a + b, 0) <= sizeOf(node.outputs[0]!.shape);
  return new Set([...taken].filter(fits).map(([node]) => node));
}

/**
 * Moves slices toward the leaves, so that "rows 0–255 of W + s·B·A" reads and computes only those rows. A slice stops
 * where it does not go through (reductions over the axis, reshapes of it, convolutions) or where the whole is needed anyway.
 */
export function pushSlices(outputs: readonly Tensor[]): Tensor[] {
  let current = [...outputs];
  for (let changed = true; changed;) {
    changed = false;
    const candidates = sliceable(current);
    current = rewriteGraph(current, (node, inputs) => {
      if (node.op !== "slice" || !candidates.has(node.inputs[0]!.node) || isLeaf(inputs[0]!.node)) return undefined;
      const [start, size, step] = [node.attrs.start, node.attrs.size, node.attrs.step] as number[][];
      const result = push(
        inputs[0]!.node,
        start!.map((s, i) => ({ start: s, size: size![i]!, step: step![i]! })),
      );
      changed ||= result !== undefined;
      return result && [result];
    });
  }
  return current;
}
