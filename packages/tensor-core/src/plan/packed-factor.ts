import { isFloat } from "../dtype.js";
import type { Node, Tensor } from "../graph.js";
import { isLeaf } from "../passes/rewrite.js";

/** The packed weight that a factor of a product is, as it lies or turned. */
export function packedFactor(t: Tensor): { readonly node: Node; readonly turned: boolean } | undefined {
  let [at, turned] = [t, false];
  for (; !isLeaf(at.node); at = at.node.inputs[0]!) {
    const { op, composite } = at.node;
    if (composite?.definition.packed) return { node: at.node, turned };
    if (op === "transpose") turned = !turned;
    else if (op !== "cast" || at.dtype !== "f32" || !isFloat(at.node.inputs[0]!.dtype)) return undefined;
  }
  return undefined;
}
