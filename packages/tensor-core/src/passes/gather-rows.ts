import type { Tensor } from "../graph.js";
import { cast } from "../ops/cast.js";
import { reshape } from "../ops/movement.js";
import { isLeaf, rewriteGraph } from "./rewrite.js";

/** Rows of matrices by number, such as embeddings of tokens, without the rows that nobody asked for, where a matrix knows how (packed weights do). */
export function gatherRows(outputs: readonly Tensor[]): Tensor[] {
  return rewriteGraph(outputs, (node, [table, index]) => {
    if (node.op !== "gather" || node.attrs.axis !== 0 || table!.shape.length !== 2) return undefined;
    let from = table!;
    while (from.node.op === "cast" && !isLeaf(from.node)) from = from.node.inputs[0]!;
    const { composite, inputs, attrs } = from.node;
    if (isLeaf(from.node) || !composite?.definition.gather || index!.size === 0) return undefined;
    const rows = composite.definition.gather(inputs, attrs, cast(reshape(index!, [index!.size]), "i32"));
    return rows && [reshape(cast(rows, table!.dtype), [...index!.shape, table!.shape[1]!])];
  });
}
