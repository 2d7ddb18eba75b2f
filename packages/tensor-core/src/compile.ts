import type { Executable } from "./backend.js";
import { type Device, deviceOf } from "./device.js";
import { ShapeError } from "./errors.js";
import { exactJson } from "./exact-json.js";
import { makeNode, type Node, Tensor, topologicalOrder } from "./graph.js";
import { planGraph } from "./plan/plan-graph.js";
import { isMovement, moveView, type View, wholeView } from "./plan/views.js";
import { graphInputs, isLeaf } from "./passes/rewrite.js";
import { flattenTree, type Tree, type TreeStructure, unflattenTree } from "./transforms/tree.js";

/** A traced, planned and lowered function for one signature. */
export interface Compiled {
  readonly executable: Executable;
  /** Leaves of the plan behind the arguments: weights and constants that the function closes over. */
  readonly captured: readonly Tensor[];
  readonly structure: TreeStructure;
}

export interface CompiledFunction<A extends readonly Tree[], R extends Tree> {
  (...args: A): Promise<R>;
  /** The plan for these arguments (made now if need be), for `explain` and tests. */
  prepare(...args: A): Promise<Compiled>;
  /** Frees the plans and their scratch memory. */
  dispose(): void;
}

/** True for what lies in a leaf's memory as it is, seen with other strides: a copy would only cost memory. */
function isViewOfLeaf(t: Tensor): boolean {
  const chain: Node[] = [];
  let base = t;
  while (isMovement(base.node)) {
    chain.unshift(base.node);
    base = base.node.inputs[0]!;
  }
  return isLeaf(base.node) && chain.reduce<View | undefined>((view, node) => view && moveView(node, view), wholeView(base)) !== undefined;
}

/** Nodes of a trace that do not depend on its place-holders and are worth keeping: they are computed once, when compiling. */
function constantParts(outputs: readonly Tensor[], inputs: ReadonlySet<Node>): Tensor[] {
  const varying = new Set<Node>(inputs);
  const order = topologicalOrder(outputs, graphInputs);
  for (const node of order) if (node.inputs.some((t) => varying.has(t.node))) varying.add(node);
  const fixed = (node: Node): boolean => !varying.has(node) && !isLeaf(node) && node.op !== "full" && node.op !== "iota";
  // A part that holds nothing but generated values stays in the graph: it costs no memory there.
  const reads = new Set<Node>();
  for (const node of order)
    if (node.op === "constant" || node.op === "input" || node.inputs.some((t) => reads.has(t.node))) reads.add(node);
  const edge = [...outputs, ...order.filter((n) => varying.has(n)).flatMap((n) => n.inputs)];
  const seen = new Set<string>();
  return edge.filter(
    (t) =>
      fixed(t.node) && !isViewOfLeaf(t) && reads.has(t.node) && !seen.has(`${t.node.id}.${t.index}`) && seen.add(`${t.node.id}.${t.index}`),
  );
}

/**
 * A function that is traced once per signature (shapes and dtypes of the tensors, values of everything else in the
 * arguments) into a plan, which is replayed with no graph building. Tensors that the function closes over are
 * captured as constants.
 * @param fn a function from trees of tensors to a tree of tensors; it runs only while tracing
 * @param options.device where it runs; by default where its arguments and captured tensors lie
 */
export function compile<A extends readonly Tree[], R extends Tree>(
  fn: (...args: A) => R,
  options: { readonly device?: Device } = {},
): CompiledFunction<A, R> {
  const cache = new Map<string, Promise<Compiled & { device: Device }>>();

  async function build(leaves: readonly Tensor[], structure: TreeStructure): Promise<Compiled & { device: Device }> {
    const inputs = leaves.map(({ shape, dtype }) => new Tensor(makeNode("input", [], {}, [{ shape, dtype }])));
    const result = flattenTree(fn(...(unflattenTree(structure, inputs) as unknown as A)));
    if (result.leaves.length === 0) throw new ShapeError("compile: the function returned no tensor");
    const device = options.device ?? deviceOf([...leaves, ...result.leaves]);
    const parts = constantParts(result.leaves, new Set(inputs.map((t) => t.node)));
    if (parts.length > 0) await device.evaluate(parts);
    const { plan, leaves: all } = planGraph(result.leaves, inputs, (call) => device.backend.claims(call));
    return { device, executable: await device.backend.lower(plan), captured: all.slice(inputs.length), structure: result.structure };
  }

  function prepare(leaves: readonly Tensor[], structure: TreeStructure): Promise<Compiled & { device: Device }> {
    const signature = exactJson([leaves.map((t) => [t.shape, t.dtype]), structure]);
    let entry = cache.get(signature);
    if (!entry) {
      entry = build(leaves, structure);
      cache.set(signature, entry);
      entry.catch(() => cache.delete(signature));
    }
    return entry;
  }

  const call = async (...args: A): Promise<R> => {
    const { leaves, structure } = flattenTree(args);
    const { device, executable, captured, structure: out } = await prepare(leaves, structure);
    const open = leaves.filter((t) => !isLeaf(t.node));
    if (open.length > 0) await device.evaluate(open);
    return unflattenTree(out, await device.execute(executable, [...leaves, ...captured])) as R;
  };
  return Object.assign(call, {
    prepare: (...args: A): Promise<Compiled> => {
      const { leaves, structure } = flattenTree(args);
      return prepare(leaves, structure);
    },
    dispose(): void {
      for (const entry of cache.values()) void entry.then(({ executable }) => executable.dispose());
      cache.clear();
    },
  });
}
