import type { Executable } from "./backend.js";
import { type Device, deviceOf } from "./device.js";
import { ConfigError, ShapeError } from "./errors.js";
import { makeNode, type Node, Tensor, topologicalOrder } from "./graph.js";
import { graphInputs, isLeaf, substitute } from "./passes/rewrite.js";
import { planGraph, type ResultPlace } from "./plan/plan-graph.js";
import { isMovement, moveView, type View, wholeView } from "./plan/views.js";
import { sameShape } from "./shape.js";
import type { Storage } from "./storage.js";
import type { TensorSpec } from "./tensor-spec.js";
import { flattenTree, matchTree, type Tree, type TreeStructure, unflattenTree } from "./transforms/tree.js";

/** A traced, planned and lowered function for one signature. */
export interface Compiled {
  readonly executable: Executable;
  /** Leaves of the plan behind the arguments: weights and constants that the function closes over. */
  readonly captured: readonly Tensor[];
  /** Where each result lies, its shape and dtype, and the tree that they make. */
  readonly results: readonly (TensorSpec & ResultPlace)[];
  readonly structure: TreeStructure;
}

export interface CompiledFunction<A extends readonly Tree[], R extends Tree> {
  (...args: A): Promise<R>;
  /** The plan for these arguments (made now if need be), for `explain` and tests. */
  prepare(...args: A): Promise<Compiled>;
  /** Frees the plans and their scratch memory. */
  dispose(): void;
}

/** A signature that was met: the arguments' structure, shapes and dtypes, and what was made of it. */
interface Entry {
  readonly structure: TreeStructure;
  readonly specs: readonly TensorSpec[];
  readonly device: Device;
  readonly ready: Promise<Compiled>;
  /** What `ready` gives, once it has. */
  compiled: Compiled | undefined;
  /** Nodes of the trace have higher ids. */
  readonly mark: number;
  /** Calls under way. */
  calls: number;
  /** To be freed when no call is under way. */
  retired: boolean;
}

/** Frees the plan of a signature, if there is one by then, with what was computed and uploaded for it alone, as soon as nobody uses it. */
function retire(entry: Entry): void {
  entry.retired = true;
  if (entry.calls > 0) return;
  entry.ready.then(
    ({ executable, captured }) => {
      executable.dispose();
      for (const t of captured) if (t.node.id > entry.mark) t.dispose();
    },
    () => undefined,
  );
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

/** Parts of a trace that do not depend on its place-holders and are worth keeping: they are computed once, when compiling. */
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

/** Parts of a trace, computed into memory that belongs to its plan and not to the graph. Constants of the trace leave the device again. */
async function computedApart(device: Device, parts: readonly Tensor[], mark: number): Promise<Tensor[]> {
  const { plan, leaves } = planGraph(parts, [], (call) => device.backend.claims(call));
  const executable = await device.backend.lower(plan);
  try {
    return await device.execute(executable, leaves);
  } finally {
    executable.dispose();
    for (const t of leaves) if (t.node.id > mark) t.dispose();
  }
}

/** @throws ConfigError kind `signature` for plain values that cannot be compared by value */
function assertComparable(structure: TreeStructure, path: string): void {
  if (structure.kind === "list") structure.items.forEach((item, i) => assertComparable(item, `${path}[${i}]`));
  if (structure.kind === "record") structure.items.forEach((item, i) => assertComparable(item, `${path}.${structure.keys[i]}`));
  if (structure.kind !== "value" || !["function", "symbol"].includes(typeof structure.value)) return;
  throw new ConfigError(`compile: ${path} is a ${typeof structure.value}, which a later call could not be compared with`, {
    kind: "signature",
    hint: "close over it and compile once for each, or pass a name and choose inside",
  });
}

function fits(specs: readonly TensorSpec[], leaves: readonly Tensor[]): boolean {
  for (let i = 0; i < specs.length; i++) {
    const { shape, dtype } = specs[i]!;
    const spec = leaves[i]!.node.outputs[leaves[i]!.index]!;
    if (spec.dtype !== dtype || (spec.shape !== shape && !sameShape(spec.shape, shape))) return false;
  }
  return true;
}

/**
 * A function that is traced once per signature (shapes and dtypes of the tensors, values of everything else in the
 * arguments) into a plan, which is replayed with no graph building. Tensors that the function closes over are
 * captured as constants. A call holds the memory of its arguments until it is done, whatever becomes of them meanwhile; a result that is an
 * argument as it is, or a reshape of one, shares its memory.
 * @param fn a function from trees of tensors to a tree of tensors; it runs only while tracing
 * @param options.device where it runs; by default where its arguments and captured tensors lie
 * @throws ConfigError kinds `tree` and `signature` for arguments that are no trees of tensors and plain values; DeviceError kind `other-device`
 */
export function compile<A extends readonly Tree[], R extends Tree>(
  fn: (...args: A) => R,
  options: { readonly device?: Device } = {},
): CompiledFunction<A, R> {
  /** The last one used comes first. */
  const entries: Entry[] = [];

  function trace(args: A): Entry {
    const { leaves, structure } = flattenTree(args);
    if (structure.kind === "list") structure.items.forEach((item, i) => assertComparable(item, `argument ${i}`));
    const specs = leaves.map(({ shape, dtype }): TensorSpec => ({ shape, dtype }));
    const mark = makeNode("mark", [], {}, []).id;
    const inputs = specs.map((spec) => new Tensor(makeNode("input", [], {}, [spec])));
    const result = flattenTree(fn(...(unflattenTree(structure, inputs) as unknown as A)));
    if (result.leaves.length === 0) throw new ShapeError("compile: the function returned no tensor");
    const device = options.device ?? deviceOf([...leaves, ...result.leaves]);
    return {
      structure,
      specs,
      device,
      mark,
      ready: lower(device, inputs, result.leaves, result.structure, mark),
      compiled: undefined,
      calls: 0,
      retired: false,
    };
  }

  async function lower(
    device: Device,
    inputs: readonly Tensor[],
    traced: readonly Tensor[],
    structure: TreeStructure,
    mark: number,
  ): Promise<Compiled> {
    const parts = constantParts(traced, new Set(inputs.map((t) => t.node)));
    // What exists outside the trace is computed for all who use it; what the trace has made goes with its plan.
    const own = parts.filter((t) => t.node.id > mark);
    const shared = parts.filter((t) => t.node.id <= mark);
    if (shared.length > 0) await device.evaluate(shared);
    const computed = own.length > 0 ? await computedApart(device, own, mark) : [];
    try {
      const outputs = substitute(traced, own, computed);
      const { plan, results, leaves } = planGraph(outputs, inputs, (call) => device.backend.claims(call), { share: true });
      return {
        executable: await device.backend.lower(plan),
        captured: leaves.slice(inputs.length),
        results: outputs.map(({ shape, dtype }, i) => ({ shape, dtype, ...results[i]! })),
        structure,
      };
    } catch (error) {
      for (const t of computed) t.dispose();
      throw error;
    }
  }

  /** The entry for these arguments, traced now if there is none; their tensors are put into `leaves`. */
  function entryFor(args: A, leaves: Tensor[]): Entry {
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i]!;
      leaves.length = 0;
      if (!matchTree(entry.structure, args, leaves) || !fits(entry.specs, leaves)) continue;
      if (i > 0) entries.unshift(...entries.splice(i, 1));
      return entry;
    }
    const entry = trace(args);
    entries.unshift(entry);
    entry.ready.then(
      (compiled) => (entry.compiled = compiled),
      () => entries.includes(entry) && entries.splice(entries.indexOf(entry), 1),
    );
    leaves.length = 0;
    leaves.push(...flattenTree(args).leaves);
    return entry;
  }

  const call = async (...args: A): Promise<R> => {
    const leaves: Tensor[] = [];
    const entry = entryFor(args, leaves);
    const { device } = entry;
    // Held now, and not when the plan is ready: the caller may dispose of its arguments as soon as it has made the call.
    const gathered = device.gather(leaves);
    entry.calls++;
    let held: Storage[] = [];
    try {
      held = Array.isArray(gathered) ? gathered : await gathered;
      const { executable, captured, results, structure } = entry.compiled ?? (await entry.ready);
      for (const storage of device.hold(captured)) held.push(storage);
      const running = device.run(executable, held, results);
      const storages = Array.isArray(running) ? running : await running;
      const tensors = results.map((spec, i) => device.result(storages[i]!, spec));
      return unflattenTree(structure, tensors) as R;
    } finally {
      for (const storage of held) storage.release();
      if (--entry.calls === 0 && entry.retired) retire(entry);
    }
  };
  return Object.assign(call, {
    prepare: async (...args: A): Promise<Compiled> => entryFor(args, []).ready,
    dispose: (): void => entries.splice(0).forEach(retire),
  });
}
