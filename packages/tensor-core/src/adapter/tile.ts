import { makeNode, type Node, Tensor, type TensorSpec, topologicalOrder } from "../graph.js";
import { rows } from "../ops/movement.js";
import { expandComposites } from "../passes/expand-composites.js";
import { pushSlices } from "../passes/push-slices.js";
import { simplify } from "../passes/simplify.js";
import { graphInputs, rewriteGraph } from "../transforms/rewrite.js";

/** A place-holder to be bound when a plan runs. */
export function placeholder({ shape, dtype }: TensorSpec): Tensor {
  return new Tensor(makeNode("input", [], {}, [{ shape, dtype }]));
}

/** Some rows of a function of a large tensor, computed from those rows alone. */
export interface Tile {
  /** Place-holder of the rows that are read. */
  readonly input: Tensor;
  readonly output: Tensor;
}

/** The composites that a graph uses by name and knows how to slice. */
function slices(outputs: readonly Tensor[]): Set<string> {
  return new Set(
    topologicalOrder(outputs, graphInputs)
      .filter((n) => n.composite?.definition.slice)
      .map((n) => n.op),
  );
}

/**
 * Rows `start … stop-1` of `f(x)` as a function of the same rows of x, by pushing the slice down to x; so a file is
 * transformed in tiles of any size. Undefined if those rows of the result need other rows of x.
 */
export function tileRows(f: (x: Tensor) => Tensor, x: TensorSpec, start: number, stop: number): Tile | undefined {
  const all = placeholder(x);
  const input = placeholder({ shape: [stop - start, ...x.shape.slice(1)], dtype: x.dtype });
  if (start === 0 && stop === x.shape[0]) return { input: all, output: f(all) };
  const wanted = [rows(f(all), start, stop)];
  const known = slices(wanted);
  const pushed = pushSlices(simplify(expandComposites(wanted, ({ name }) => known.has(name))));
  const isTile = (node: Node): boolean => {
    const { start: from, size, step } = node.attrs as { start: number[]; size: number[]; step: number[] };
    return from.every((s, i) => s === (i === 0 ? start : 0)) && size.every((d, i) => d === input.shape[i]) && step.every((s) => s === 1);
  };
  const [output] = rewriteGraph(pushed, (node) =>
    node.op === "slice" && node.inputs[0]!.node === all.node && isTile(node) ? [input] : undefined,
  ) as [Tensor];
  return topologicalOrder([output], graphInputs).includes(all.node) ? undefined : { input, output };
}
