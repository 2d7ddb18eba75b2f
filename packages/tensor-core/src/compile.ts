import type { CompositeCall, Executable, FrozenInput } from "./backend.js";
import type { Device } from "./device.js";
import { deviceOf } from "./evaluate.js";
import { ConfigError, DeviceError, ShapeError } from "./errors.js";
import { makeNode, type Node, placeholder, type Tensor, topologicalOrder } from "./graph.js";
import { graphInputs, isLeaf, replacements } from "./passes/rewrite.js";
import { planGraph, type ResultPlace } from "./plan/plan-graph.js";
import type { Plan } from "./plan/plan.js";
import { isMovement, moveView, type View, wholeView } from "./plan/views.js";
import { type Compiled, Signature } from "./signature.js";
import type { Storage } from "./storage.js";
import type { TensorSpec } from "./tensor-spec.js";
import { flattenTree, type Tree, type TreeStructure, unflattenTree } from "./transforms/tree.js";

/** A compiled function for arguments of one signature. */
export interface BoundCall<A extends readonly Tree[], R extends Tree> extends Compiled {
  /**
   * Runs the plan on arguments like those that it was prepared for. Memory of results is its own: it is used again when the last holder of a result
   * has let go of it, and given back when the compiled function is disposed of.
   * @throws ShapeError for other arguments; DeviceError kind `disposed` after the compiled function was disposed of
   */
  (...args: A): Promise<R>;
}

/** A function that is traced once per signature of its arguments, and replayed after that. */
export interface CompiledFunction<A extends readonly Tree[], R extends Tree> {
  (...args: A): Promise<R>;
  /** The plan for these arguments, made now if need be: a function for hot loops. It is the same one for every call with such arguments. */
  prepare(...args: A): Promise<BoundCall<A, R>>;
  /** Frees the plans and their memory, as soon as no call is under way. */
  dispose(): void;
}

/** On which device a compiled function runs, and which arguments it may overwrite. */
export interface CompileOptions {
  /** Where it runs; by default where its arguments and captured tensors lie. */
  readonly device?: Device;
  /**
   * Numbers of arguments whose tensors a call takes over: results may be written into their memory, and using them afterwards throws a DeviceError of
   * kind `donated`. Memory that others share (a view, another argument, a call under way) is copied first.
   */
  readonly donate?: readonly number[];
}

/** What a tensor is a view of, with other strides alone: the first in its chain of movements, of those of at most `most` elements. */
function viewed(t: Tensor, most: number): Tensor {
  const chain: Node[] = [];
  let [base, found] = [t, t];
  while (isMovement(base.node)) {
    chain.unshift(base.node);
    base = base.node.inputs[0]!;
    const view = chain.reduce<View | undefined>((v, node) => v && moveView(node, v), wholeView(base));
    if (!view || base.size > most) break;
    found = base;
  }
  return found;
}

/** True for what lies in a leaf's memory as it is, seen with other strides: a copy would only cost memory. */
const isViewOfLeaf = (t: Tensor): boolean => isLeaf(viewed(t, Infinity).node);

/**
 * What is to be held of a tensor: the parts of a packed weight, whichever way it is seen, as its values are to be held nowhere; else what it is a view of, unless
 * that is larger, so that views of one thing, broadcast ones too, are held once.
 */
function stored(t: Tensor): readonly Tensor[] {
  let at = t.node;
  while (!isLeaf(at) && (isMovement(at) || at.op === "cast")) at = at.inputs[0]!.node;
  if (!isLeaf(at) && at.op === "dequantize") return at.inputs;
  const base = viewed(t, t.size);
  // A copy of something given is made once.
  return [isViewOfLeaf(base) ? t : base];
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
  const edge = [...outputs, ...order.filter((n) => varying.has(n)).flatMap((n) => n.inputs.flatMap(stored))];
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

/**
 * Lowers a plan; a backend that makes use of them is shown the constants, which are its last inputs. Constants that are results must stay inputs.
 * @returns which of the constants are inputs of the lowered plan
 */
async function lowerWith(
  device: Device,
  plan: Plan,
  captured: readonly Tensor[],
  results: readonly ResultPlace[],
): Promise<{ readonly executable: Executable; readonly read: readonly Tensor[] }> {
  const { backend } = device;
  if (!backend.capabilities.freezes || captured.length === 0) return { executable: await backend.lower(plan), read: captured };
  const first = plan.inputs.length - captured.length;
  const lasting = new Set(results.map((place) => ("input" in place ? place.input : -1)));
  const frozen = captured.map((_, i) => first + i).filter((i) => !lasting.has(i));
  const held: Storage[] = [];
  const input = (t: Tensor): FrozenInput => ({
    key: `${t.node.id}.${t.index}`,
    async buffer() {
      const [storage] = await device.gather([t]);
      held.push(storage!);
      return storage!.buffer;
    },
  });
  try {
    const executable = await backend.lower(plan, new Map(frozen.map((i) => [plan.inputs[i]!, input(captured[i - first]!)])));
    const inputs = new Set(executable.plan.inputs);
    return { executable, read: captured.filter((_, i) => inputs.has(plan.inputs[first + i]!)) };
  } finally {
    for (const storage of held) storage.release();
  }
}

/** Lets go of memory that a lowered plan has a form of its own of: of what the trace has made, and of what can be uploaded or read again. */
function letGo(device: Device, captured: readonly Tensor[], read: readonly Tensor[], mark: number): void {
  const needed = new Set(read);
  for (const t of captured) {
    if (needed.has(t)) continue;
    if (t.node.id > mark) t.dispose();
    else if (t.node.source || t.node.bytes) device.release(t);
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

/** The leaves of the arguments with these numbers. @throws ConfigError kind `donate` for numbers of no argument */
function leavesOf(structure: TreeStructure, numbers: readonly number[]): number[] {
  const walk = (s: TreeStructure): number[] =>
    s.kind === "leaf" ? [s.leaf] : s.kind === "value" ? [] : (s.items as readonly TreeStructure[]).flatMap(walk);
  const args = structure.kind === "list" ? structure.items : [];
  return [...new Set(numbers)].flatMap((n) => {
    if (args[n] === undefined)
      throw new ConfigError(`compile: donate names argument ${n}, but there are ${args.length}`, {
        kind: "donate",
        hint: "arguments are counted from 0",
      });
    return walk(args[n]);
  });
}

/** A function that rejects where `start` throws; unlike an `async` one it hands the promise of `start` on without waiting for it. */
function refusing<A extends readonly Tree[], R>(start: (leaves: Tensor[], args: A) => Promise<R>): (...args: A) => Promise<R> {
  return (...args) => {
    try {
      return start([], args);
    } catch (error) {
      return Promise.reject(error);
    }
  };
}

/**
 * A function that is traced once per signature (shapes and dtypes of the tensors, values of everything else in the
 * arguments) into a plan, which is replayed with no graph building. Tensors that the function closes over are
 * captured as constants. A call holds the memory of its arguments until it is done, whatever becomes of them meanwhile; a result that is an
 * argument as it is, or a reshape of one, shares its memory.
 * @param fn a function from trees of tensors to a tree of tensors; it runs only while tracing
 * @throws ConfigError kinds `tree` and `signature` for arguments that are no trees of tensors and plain values, `donate`; DeviceError kinds
 * `other-device`, `disposed`, `donated`
 */
export function compile<A extends readonly Tree[], R extends Tree>(
  fn: (...args: A) => R,
  options: CompileOptions = {},
): CompiledFunction<A, R> {
  /** The last one used comes first. */
  const signatures: Signature<R>[] = [];
  const bound = new WeakMap<Signature<R>, BoundCall<A, R>>();

  function trace(args: A): Signature<R> {
    const { leaves, structure } = flattenTree(args);
    if (structure.kind === "list") structure.items.forEach((item, i) => assertComparable(item, `argument ${i}`));
    const donated = leavesOf(structure, options.donate ?? []);
    const specs = leaves.map(({ shape, dtype }): TensorSpec => ({ shape, dtype }));
    const mark = makeNode("mark", [], {}, []).id;
    const inputs = specs.map(placeholder);
    const result = flattenTree(fn(...(unflattenTree(structure, inputs) as unknown as A)));
    if (result.leaves.length === 0) throw new ShapeError("compile: the function returned no tensor");
    const device = options.device ?? deviceOf([...leaves, ...result.leaves]);
    const compiling = lower(device, inputs, result.leaves, result.structure, donated, mark);
    return new Signature<R>(device, { structure, specs, donated }, compiling);
  }

  async function lower(
    device: Device,
    inputs: readonly Tensor[],
    traced: readonly Tensor[],
    structure: TreeStructure,
    donated: readonly number[],
    mark: number,
  ): Promise<Compiled> {
    const { outputs: wanted, checks } = device.checked(traced);
    const parts = constantParts(wanted, new Set(inputs.map((t) => t.node)));
    // What exists outside the trace is computed for all who use it; what the trace has made goes with its plan.
    const own = parts.filter((t) => t.node.id > mark);
    const shared = parts.filter((t) => t.node.id <= mark);
    if (shared.length > 0) await device.know(shared);
    const computed = own.length > 0 ? await computedApart(device, own, mark) : [];
    try {
      const claims = (call: CompositeCall): boolean => device.backend.claims(call);
      const { plan, results, leaves } = planGraph(wanted, inputs, claims, { share: true, donated, given: replacements(own, computed) });
      const captured = leaves.slice(inputs.length);
      // What only results that nobody asked for need.
      for (const t of computed) if (!captured.some((c) => c.node === t.node)) t.dispose();
      const { executable, read } = await lowerWith(device, plan, captured, results);
      letGo(device, captured, read, mark);
      const numbers = new Map(executable.plan.inputs.map((id, i) => [id, i]));
      const placed = results.map((place): ResultPlace => ("input" in place ? { input: numbers.get(plan.inputs[place.input]!)! } : place));
      return {
        executable,
        captured: read,
        own: read.filter((t) => t.node.id > mark),
        results: traced.map(({ shape, dtype }, i) => ({ shape, dtype, place: placed[i]! })),
        ...(checks.length > 0 && { indices: { checks, place: placed.at(-1)! } }),
        structure,
      };
    } catch (error) {
      for (const t of computed) t.dispose();
      throw error;
    }
  }

  /** The signature of these arguments, traced now if there is none; their tensors are put into `leaves`. */
  function signatureOf(args: A, leaves: Tensor[]): Signature<R> {
    for (let i = 0; i < signatures.length; i++) {
      const known = signatures[i]!;
      if (!known.takes(args, leaves)) continue;
      if (i > 0) signatures.unshift(...signatures.splice(i, 1));
      return known;
    }
    const made = trace(args);
    signatures.unshift(made);
    made.ready.catch(() => signatures.includes(made) && signatures.splice(signatures.indexOf(made), 1));
    made.takes(args, leaves);
    return made;
  }

  async function prepare(...args: A): Promise<BoundCall<A, R>> {
    const signature = signatureOf(args, []);
    const compiled = await signature.ready;
    const known = bound.get(signature);
    if (known) return known;
    const call = refusing((leaves: Tensor[], again: A) => {
      if (signature.closed)
        throw new DeviceError("a bound call is used after its compiled function was disposed of", {
          kind: "disposed",
          hint: "dispose of the function after its last call",
        });
      if (!signature.takes(again, leaves))
        throw new ShapeError("a bound call is used with other arguments than those that it was prepared for", {
          hint: "call the compiled function itself, which makes a plan for each signature, or prepare it again",
        });
      return signature.call(leaves, true);
    });
    const made = Object.assign(call, compiled);
    bound.set(signature, made);
    return made;
  }

  const call = refusing((leaves: Tensor[], args: A) => signatureOf(args, leaves).call(leaves, false));
  return Object.assign(call, { prepare, dispose: (): void => signatures.splice(0).forEach((s) => s.retire()) });
}
