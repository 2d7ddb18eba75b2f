import { applyPrimitive } from "../apply-primitive.js";
import { type Box, boxShape, compose, hull, isWhole, relative, whole } from "../box.js";
import { callComposite } from "../composite.js";
import { bytesPerElement } from "../dtype.js";
import { type Node, Tensor, topologicalOrder } from "../graph.js";
import { cut } from "../ops/cut.js";
import { PRIMITIVES } from "../primitives/index.js";
import type { Part } from "../primitives/primitive.js";
import { contiguousStrides, isContiguous, type Shape, sizeOf } from "../shape.js";
import { mergeCommonSubexpressions } from "./common-subexpressions.js";
import { graphInputs, isLeaf, onInputs } from "./rewrite.js";

/** Rounds after which slices stay where they are. Each round takes back what did not pay in the one before; hardly a graph needs a second. */
const MAX_ROUNDS = 8;

/** The one part of a node that is computed, and what it needs. */
interface Piece {
  readonly box: Box;
  readonly part: Part;
}

type Pieces = ReadonlyMap<Node, Piece>;

const isSlice = (node: Node): boolean => node.op === "slice" && !isLeaf(node);

/** What a `slice` takes of its input. */
function boxOf({ attrs }: Node): Box {
  const [start, size, step] = [attrs.start, attrs.size, attrs.step] as number[][];
  return start!.map((s, i) => ({ start: s, size: size![i]!, step: step![i]! }));
}

/** The tensor that a tensor is slices of, and which box of it. */
function unsliced(t: Tensor, box: Box): { base: Tensor; box: Box } {
  let [base, taken] = [t, box];
  for (; isSlice(base.node); base = base.node.inputs[0]!) taken = compose(boxOf(base.node), taken);
  return { base, box: taken };
}

function partOf({ op, attrs, inputs, outputs, composite }: Node, box: Box): Part | undefined {
  const rule = composite ? composite.definition.slice : PRIMITIVES[op]!.slice;
  return rule?.({ inputs, output: outputs[0]!, attrs }, box);
}

/**
 * The nodes of which users need a part alone: the smallest box around all that is taken of them. So each node is computed once, and never more of
 * it than without slices, however many they are and however they overlap.
 * @param kept nodes that are to be computed whole
 */
function findPieces(order: readonly Node[], outputs: readonly Tensor[], kept: ReadonlySet<Node>): Pieces {
  const pieces = new Map<Node, Piece>();
  /** Boxes that are taken of a node; undefined if it is needed whole. */
  const taken = new Map<Node, Box[] | undefined>();
  const take = (t: Tensor, box: Box): void => {
    const { base, box: at } = unsliced(t, box);
    const { node, shape } = base;
    if (node.outputs.length > 1 || isWhole(at, shape)) taken.set(node, undefined);
    else if (!taken.has(node)) taken.set(node, [at]);
    else taken.get(node)?.push(at);
  };
  const takeAll = (t: Tensor): void => take(t, t.shape.map(whole));
  outputs.forEach(takeAll);
  for (let i = order.length - 1; i >= 0; i--) {
    const node = order[i]!;
    if (isLeaf(node) || isSlice(node)) continue;
    const boxes = kept.has(node) ? undefined : taken.get(node);
    const box = boxes && hull(boxes as [Box, ...Box[]]);
    const part = box && !isWhole(box, node.outputs[0]!.shape) ? partOf(node, box) : undefined;
    if (part) {
      pieces.set(node, { box: box!, part });
      node.inputs.forEach((t, k) => take(t, part.boxes[k]!));
    } else node.inputs.forEach(takeAll);
  }
  return pieces;
}

const fuses = ({ op, composite }: Node): boolean =>
  !composite && (PRIMITIVES[op]!.pointwise === true || PRIMITIVES[op]!.group === "reduce");

/** Positions that a fused loop over a node goes through, all of it or a piece. */
function positions({ op, inputs, outputs }: Node, piece?: Piece): number {
  if (op === "reduce") return piece ? sizeOf(boxShape(piece.part.boxes[0]!)) : inputs[0]!.size;
  return sizeOf(piece ? boxShape(piece.box) : outputs[0]!.shape);
}

/** What a tensor is a renaming of. */
function sourceOf(t: Tensor): Tensor {
  let source = t;
  while (!isLeaf(source.node) && PRIMITIVES[source.node.op]?.view) source = source.node.inputs[0]!;
  return source;
}

const bytesOf = (t: Tensor, box?: Box): number => (box ? sizeOf(boxShape(box)) : t.size) * bytesPerElement(t.dtype);

/** Whether a box of a tensor in row-major order lies in memory without gaps. */
function isDense(box: Box, shape: Shape): boolean {
  const strides = contiguousStrides(shape);
  return isContiguous(
    boxShape(box),
    box.map((r, i) => r.step * strides[i]!),
  );
}

/** Bytes that a piece of a step of its own saves; a kernel that wants its operands without gaps gets a copy. */
function savedByStep(node: Node, { box, part }: Piece, pieces: Pieces): number {
  const { anyStrides } = node.composite?.definition ?? PRIMITIVES[node.op]!;
  const saved = node.inputs.map((t, i) => {
    const taken = part.boxes[i]!;
    const inside = unsliced(t, taken);
    const copied = !anyStrides && !pieces.has(inside.base.node) && !isDense(inside.box, inside.base.shape);
    return bytesOf(t) - bytesOf(t, taken) - (copied ? 2 * bytesOf(t, taken) : 0);
  });
  return saved.reduce((a, b) => a + b, bytesOf(new Tensor(node)) - bytesOf(new Tensor(node), box));
}

/**
 * Bytes that a piece of a fused loop saves. What no longer runs in one loop with what it is made of reads all of its inputs again, and some of them
 * must be written first.
 */
function savedByLoop(node: Node, piece: Piece, pieces: Pieces): number {
  let [saved, again, parted] = [0, 0, false];
  node.inputs.forEach((t, i) => {
    const source = sourceOf(t);
    if (source.node.op === "full") return;
    const read = Math.min(bytesOf(t, piece.part.boxes[i]!), bytesOf(source));
    saved += Math.min(bytesOf(t), bytesOf(source)) - read;
    again += read;
    if (isLeaf(source.node) || !fuses(source.node) || positions(source.node) !== positions(node)) return;
    const before = pieces.get(source.node);
    if (positions(source.node, before) === positions(node, piece)) return;
    parted = true;
    again += bytesOf(source, before?.box);
  });
  return bytesOf(new Tensor(node)) - bytesOf(new Tensor(node), piece.box) + (parted ? -again : saved);
}

/** The graph with the pieces in place of their nodes. */
function assemble(order: readonly Node[], outputs: readonly Tensor[], pieces: Pieces): Tensor[] {
  const results = new Map<Node, readonly Tensor[]>();
  /** What a box of a tensor has become; `same` if that is the tensor as it was. */
  const take = (t: Tensor, box: Box, same?: Tensor): Tensor => {
    const { base, box: at } = unsliced(t, box);
    const piece = pieces.get(base.node);
    const source = results.get(base.node)?.[base.index];
    return source ? cut(source, piece ? relative(piece.box, at) : at) : (same ?? cut(base, at));
  };
  const get = (t: Tensor): Tensor => {
    const known = results.get(t.node);
    if (known || !isSlice(t.node)) return known?.[t.index] ?? t;
    const made = take(t.node.inputs[0]!, boxOf(t.node), t);
    results.set(t.node, [made]);
    return made;
  };
  for (const node of order) {
    if (isLeaf(node) || isSlice(node)) continue;
    const piece = pieces.get(node);
    if (piece) {
      const { boxes, attrs = node.attrs, within } = piece.part;
      const parts = node.inputs.map((t, i) => take(t, boxes[i]!));
      const result = node.composite ? callComposite(node.composite.definition, parts, attrs)[0]! : applyPrimitive(node.op, parts, attrs);
      results.set(node, [within ? cut(result, within) : result]);
    } else {
      const moved = onInputs(node, node.inputs.map(get));
      if (moved) results.set(node, moved);
    }
  }
  return outputs.map(get);
}

/**
 * Moves slices toward the leaves, so that "rows 0–255 of W + s·B·A" reads and computes only those rows. A slice stops
 * where it does not go through (reductions over the axis, reshapes of it, convolutions), where more is needed anyway, and where it does not pay.
 * @param always also where it does not pay
 */
export function pushSlices(outputs: readonly Tensor[], always = false): Tensor[] {
  if (!topologicalOrder(outputs, graphInputs).some(isSlice)) return [...outputs];
  // What is the same must be one node before parts of it are taken, which may differ.
  const merged = mergeCommonSubexpressions(outputs);
  const order = topologicalOrder(merged, graphInputs);
  const kept = new Set<Node>();
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const pieces = findPieces(order, merged, kept);
    const saved = (node: Node, piece: Piece): number => (fuses(node) ? savedByLoop : savedByStep)(node, piece, pieces);
    const dear = always ? [] : [...pieces].filter(([node, piece]) => saved(node, piece) < 0);
    if (dear.length === 0) return pieces.size > 0 ? assemble(order, merged, pieces) : merged;
    for (const [node] of dear) kept.add(node);
  }
  return merged;
}
