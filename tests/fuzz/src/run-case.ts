import { type Backend, compile, Device, type DType, evaluate, type Node, tensor, Tensor } from "@weft/tensor-core";
import type { Bounds } from "./bounds/bounds.js";
import { Evaluator } from "./bounds/evaluate.js";
import { build, resultOf } from "./build.js";
import { firstOutside } from "./check.js";
import { leafValues } from "./leaf-values.js";
import { isLeaf, type Leaf, type Program } from "./program.js";
import { Random } from "./random.js";
import { type Case, outputsOf, type Scenario } from "./scenario.js";
import { watch } from "./watched.js";

/** A result, with what it must be. */
interface Held {
  readonly what: string;
  readonly tensor: Tensor;
  readonly bounds: Bounds;
}

/** What is wrong, and what kind of thing that is: a smaller case must fail alike. */
export interface Failure {
  readonly kind: string;
  readonly text: string;
}

/** Runs a case on a backend. @returns undefined if nothing is wrong */
export async function runCase({ program, scenario }: Case, backend: Backend): Promise<Failure | undefined> {
  const watched = watch(backend);
  const device = new Device(watched.backend);
  try {
    const wrong = await (scenario.args === undefined
      ? evaluated(program, scenario, device)
      : compiled(program, scenario, scenario.args, device));
    if (wrong) return { kind: "values", text: wrong };
  } catch (error) {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return { kind: text.replace(/[\d,.#]+/g, ""), text };
  }
  if (watched.open() === 0) return undefined;
  return { kind: "memory", text: `${watched.open()} buffers are still allocated after everything was disposed of` };
}

const onDevice =
  (device: Device, variant = 0) =>
  (leaf: Leaf): Tensor =>
    device.tensor(leafValues(leaf, variant), { shape: leaf.shape, dtype: leaf.dtype as DType });

/** Bounds of the outputs; leaves of `args` have the values of a variant. */
export function boundsOf(program: Program, scenario: Scenario, variant = 0): Bounds[] {
  const evaluator = new Evaluator();
  const built = build(program, (leaf) =>
    tensor(leafValues(leaf, scenario.args?.includes(leaf.id) ? variant : 0), { shape: leaf.shape, dtype: leaf.dtype as DType }),
  );
  return outputsOf(scenario).map((ref) => evaluator.of(resultOf(built, ref)));
}

async function evaluated(program: Program, scenario: Scenario, device: Device): Promise<string | undefined> {
  const expected = boundsOf(program, scenario);
  const built = build(program, onDevice(device));
  const all = everyResult([...built.values()].flat());
  for (const group of scenario.groups) await evaluate(...group.map((ref) => resultOf(built, ref)));
  const held = outputsOf(scenario).map((ref, i) => ({ what: `output ${i}`, tensor: resultOf(built, ref), bounds: expected[i]! }));
  const others = all.filter((t) => !held.some((h) => same(h.tensor, t)));
  return letGo(held, others, scenario.seed, () => {});
}

const same = (a: Tensor, b: Tensor): boolean => a.node === b.node && a.index === b.index;

/** All results in a graph, also those that no handle of the program is on: constants that a function makes, second results of composites. */
function everyResult(tensors: readonly Tensor[]): Tensor[] {
  const seen = new Set<Node>();
  const open = tensors.map((t) => t.node);
  for (let node = open.pop(); node; node = open.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    open.push(...node.inputs.map((t) => t.node));
  }
  return [...seen].flatMap((node) => node.outputs.map((_, i) => new Tensor(node, i)));
}

async function compiled(program: Program, scenario: Scenario, args: readonly number[], device: Device): Promise<string | undefined> {
  const captured = build(
    program.filter((s) => isLeaf(s) && !args.includes(s.id)),
    onDevice(device),
  );
  const leaves = args.map((id) => program.find((s) => s.id === id) as Leaf);
  const fn = compile(
    (given: readonly Tensor[]) => {
      const built = build(program, (leaf) => (args.includes(leaf.id) ? given[args.indexOf(leaf.id)]! : captured.get(leaf.id)![0]!));
      return outputsOf(scenario).map((ref) => resultOf(built, ref));
    },
    { device },
  );
  const inputs = Array.from({ length: scenario.calls }, (_, call) => leaves.map(onDevice(device, call)));
  const results: (readonly Tensor[])[] = [];
  if (scenario.concurrent) results.push(...(await Promise.all(inputs.map((list) => fn(list)))));
  else for (const list of inputs) results.push(await fn(list));
  const held = results.flatMap((list, call) => {
    const expected = boundsOf(program, scenario, call);
    return list.map((t, i) => ({ what: `call ${call}, output ${i}`, tensor: t, bounds: expected[i]! }));
  });
  return letGo(held, [...inputs.flat(), ...[...captured.values()].flat()], scenario.seed, () => fn.dispose());
}

/** Looks at all results, disposes of some of them and of other handles, looks at the rest again, and disposes of all. */
async function letGo(held: readonly Held[], others: readonly Tensor[], seed: number, last: () => void): Promise<string | undefined> {
  const random = new Random(seed);
  const wrong = await firstWrong(held, "");
  if (wrong) return wrong;
  const order = random.shuffled(held);
  const kept = order.slice(0, random.int(0, order.length));
  // The same tensor may be there under two names.
  for (const { tensor: t } of order) if (!kept.some((k) => same(k.tensor, t))) t.dispose();
  for (const t of others) if (random.chance(0.5)) t.dispose();
  if (random.chance(0.5)) last();
  const changed = await firstWrong(kept, " after others were disposed of");
  if (changed) return changed;
  for (const { tensor: t } of order) t.dispose();
  for (const t of others) t.dispose();
  last();
  return undefined;
}

async function firstWrong(held: readonly Held[], when: string): Promise<string | undefined> {
  for (const { what, tensor: t, bounds } of held) {
    const difference = firstOutside(await t.data(), bounds);
    if (difference) return `${what} (${t.dtype}[${t.shape}])${when}: ${difference}`;
  }
  return undefined;
}
