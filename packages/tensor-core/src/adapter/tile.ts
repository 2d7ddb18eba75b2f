import { type Node, placeholder, Tensor, topologicalOrder } from "../graph.js";
import type { TensorSpec } from "../tensor-spec.js";
import { transpose } from "../ops/movement.js";
import { sum } from "../ops/reduce.js";
import type { Shape } from "../shape.js";
import { expandComposites } from "../passes/expand-composites.js";
import { cut } from "../ops/cut.js";
import { pushSlices } from "../passes/push-slices.js";
import { simplify } from "../passes/simplify.js";
import { graphInputs, rewriteGraph, substitute } from "../passes/rewrite.js";

/** Some rows of a function of a large tensor, computed from those rows alone. */
export interface Tile {
  /** Place-holder of the rows that are read. */
  readonly input: Tensor;
  readonly output: Tensor;
}

/** A sum over all rows that a function of a large tensor takes before any row of its result is known: of squares, for the norm of a column. */
export interface RowSum {
  /** Where its value is bound. */
  readonly value: Tensor;
  /** What rows `start … stop-1` add to it; it may need the sums before it. */
  part(start: number, stop: number): Tile;
}

/** A function of a large tensor as passes over its rows. */
export interface RowPasses {
  /** In the order in which they are to be found; none for most functions. */
  readonly sums: readonly RowSum[];
  /** Rows of the result, given the sums. Undefined if they need other rows of the tensor. */
  tile(start: number, stop: number): Tile | undefined;
}

/** A graph in which what a slice does not go through is made of primitives. */
const opened = (outputs: readonly Tensor[]): Tensor[] =>
  expandComposites(outputs, (node) => node.composite!.definition.slice !== undefined);

/**
 * Rows `start … stop-1` of `f(x)` as a function of the same rows of x, by pushing the slice down to x; so a file is
 * transformed in tiles of any size. Undefined if those rows of the result need other rows of x.
 */
export function tileRows(f: (x: Tensor) => Tensor, x: TensorSpec, start: number, stop: number): Tile | undefined {
  const all = placeholder(x);
  return tileOf(f(all), all, start, stop);
}

function tileOf(output: Tensor, all: Tensor, start: number, stop: number): Tile | undefined {
  const rowsOf = ({ shape }: Tensor): Box => [[start, stop], ...shape.slice(1).map((d) => [0, d] as const)];
  const found = tileBox(output, rowsOf(output), [all], rowsOf(all));
  return found && { input: found.inputs[0]!, output: found.output };
}

/** [start, stop) along each axis of a tensor. */
export type Box = readonly (readonly [start: number, stop: number])[];

/**
 * The elements in a box of `f(x…)` from the same elements of each `x`, for tensors that are parts of larger ones: an expert's matrix in a stack of
 * them, the query's rows of a fused projection.
 * @param shape of the whole
 * @param parts the elements of each x in the box, in the box's shape
 * @returns undefined if they need other elements of an x
 */
export function mapBox(f: (...all: Tensor[]) => Tensor, shape: Shape, box: Box, parts: readonly Tensor[]): Tensor | undefined {
  const all = parts.map(({ dtype }) => placeholder({ shape, dtype }));
  const tile = tileBox(f(...all), box, all, box);
  return tile && substitute([tile.output], tile.inputs, parts)[0];
}

interface BoxTile {
  readonly inputs: readonly Tensor[];
  readonly output: Tensor;
}

/** The elements of `output` in a box as a function of the elements in a box of the place-holders `all`. */
function tileBox(output: Tensor, wanted: Box, all: readonly Tensor[], box: Box): BoxTile | undefined {
  const sizes = (of: Box): number[] => of.map(([start, stop]) => stop - start);
  const size = sizes(box);
  if (all.every(({ shape }) => size.join() === shape.join()) && sizes(wanted).join() === output.shape.join())
    return { inputs: all, output };
  const inputs = all.map(({ dtype }) => placeholder({ shape: size, dtype }));
  const part = cut(
    output,
    wanted.map(([start, stop]) => ({ start, size: stop - start, step: 1 })),
  );
  const pushed = pushSlices(simplify(opened([part])), true);
  const isBox = (node: Node): boolean => {
    const attrs = node.attrs as { start: number[]; size: number[]; step: number[] };
    return box.every(([start], i) => attrs.start[i] === start && attrs.size[i] === size[i] && attrs.step[i] === 1);
  };
  const [tile] = rewriteGraph(pushed, (node) => {
    const at = node.op === "slice" ? all.findIndex((x) => x.node === node.inputs[0]!.node) : -1;
    return at >= 0 && isBox(node) ? [inputs[at]!] : undefined;
  }) as [Tensor];
  return all.some((x) => needs(tile, x)) ? undefined : { inputs, output: tile };
}

/** Whether a graph reads a tensor. */
export const needs = (output: Tensor, x: Tensor): boolean => topologicalOrder([output], graphInputs).includes(x.node);

/**
 * `f(x)` as passes over the rows of x: the sums over all rows that it contains are taken out first, so that rows of the rest need no other rows.
 * DoRA on an embedding, whose norms run over the vocabulary, becomes a pass for the norms and one for the result.
 */
export function rowPasses(f: (x: Tensor) => Tensor, x: TensorSpec): RowPasses {
  const all = placeholder(x);
  const whole = f(all);
  const sums: RowSum[] = [];
  let [rest] = opened([whole]) as [Tensor];
  for (let found = firstRowSum(rest, all); found; found = firstRowSum(rest, all)) {
    const { total, terms, axes } = found;
    const value = placeholder(total);
    sums.push({
      value,
      part(start, stop) {
        const { input, output } = tileOf(terms, all, start, stop)!;
        return { input, output: sum(output, { axes }) };
      },
    });
    [rest] = substitute([rest], [total], [value]) as [Tensor];
  }
  const output = sums.length > 0 ? rest : whole;
  return { sums, tile: (start, stop) => tileOf(output, all, start, stop) };
}

/** The first sum over an axis of which each entry needs one row of x alone: the sum, what is added up with that axis in front, and along which axes. */
function firstRowSum(output: Tensor, x: Tensor): { total: Tensor; terms: Tensor; axes: number[] } | undefined {
  const total = x.shape[0]!;
  for (const node of topologicalOrder([output], graphInputs)) {
    const { how, axes } = node.attrs as { how?: string; axes?: readonly number[] };
    if (node.op !== "reduce" || how !== "sum" || total < 2 || !needs(node.inputs[0]!, x)) continue;
    const from = node.inputs[0]!;
    for (const axis of axes!.filter((a) => from.shape[a] === total)) {
      const order = [axis, ...from.shape.map((_, a) => a).filter((a) => a !== axis)];
      const terms = axis === 0 ? from : transpose(from, order);
      if (tileOf(terms, x, 0, 1)) return { total: new Tensor(node), terms, axes: axes!.map((a) => order.indexOf(a)) };
    }
  }
  return undefined;
}
