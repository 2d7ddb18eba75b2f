import { type Backend, Device, evaluate, type Node, Tensor } from "@weft/tensor-core";
import type { Bounds } from "./bounds/bounds.js";
import { boundsOf } from "./bounds-of.js";
import { build, resultOf } from "./build.js";
import { onDevice } from "./leaf-values.js";
import { letGo, same } from "./let-go.js";
import type { Program } from "./program.js";
import { runCompiled } from "./run-compiled.js";
import { type Case, outputsOf, type Scenario } from "./scenario.js";
import { watch } from "./watched.js";

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
      : runCompiled({ program, scenario }, scenario.args, device));
    if (wrong) return { kind: "values", text: wrong };
  } catch (error) {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return { kind: text.replace(/[\d,.#]+/g, ""), text };
  }
  if (watched.open() === 0) return undefined;
  return { kind: "memory", text: `${watched.open()} buffers are still allocated after everything was disposed of` };
}

async function evaluated(program: Program, scenario: Scenario, device: Device): Promise<string | undefined> {
  const [expected] = boundsOf({ program, scenario }) as [Bounds[]];
  const built = build(program, onDevice(device));
  const all = everyResult([...built.values()].flat());
  for (const group of scenario.groups) await evaluate(...group.map((ref) => resultOf(built, ref)));
  const held = outputsOf(scenario).map((ref, i) => ({ what: `output ${i}`, tensor: resultOf(built, ref), bounds: expected[i]! }));
  const others = all.filter((t) => !held.some((h) => same(h.tensor, t)));
  return letGo(held, others, scenario.seed, () => {});
}

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
