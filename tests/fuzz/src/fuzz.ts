import type { Backend } from "@weft/tensor-core";
import type { BackendName } from "./backends.js";
import { drawProgram, GENERATORS } from "./generate/index.js";
import { printCase } from "./print.js";
import { isLeaf } from "./program.js";
import { Random } from "./random.js";
import { runCase } from "./run-case.js";
import { type Case, drawScenario } from "./scenario.js";
import { shrink } from "./shrink.js";

/** Share of the time that each backend takes: those that are slow run fewer of the cases. */
const SHARES: Readonly<Record<BackendName, number>> = { reference: 0.2, cpu: 0.25, "cpu-2-threads": 0.15, onnx: 0.2, webgpu: 0.2 };
/** Failures after which there is no use in going on. */
const ENOUGH = 10;
/** Seconds to look for a smaller case that fails. */
const SHRINKING = 20;

export interface FuzzOptions {
  readonly seed: number;
  readonly seconds: number;
  /** Only this case. */
  readonly only?: number | undefined;
  /** Every case begins with the generator of this primitive or composite. */
  readonly op?: string | undefined;
  readonly backends: ReadonlyMap<BackendName, Backend>;
  readonly print: (text: string) => void;
}

export interface Counts {
  passed: number;
  failed: number;
  /** Graphs that ran on each backend. */
  readonly perBackend: Map<BackendName, number>;
  /** How often each function was called in a graph. */
  readonly calls: Map<string, number>;
  /** Graphs that were drawn. */
  graphs: number;
}

/** The case of a number: the same for the same seed, whatever ran before. */
export function drawCase(seed: number, number: number, op?: string): Case | undefined {
  const random = new Random(seed * 1_000_003 + number);
  const draw = drawProgram(random, op === undefined ? undefined : GENERATORS[op]);
  return drawScenario(random, draw.program, draw.values);
}

/** Draws cases and runs them until the time is over, each on the backends that have had less than their share of it. */
export async function fuzz({ seed, seconds, only, op, backends, print }: FuzzOptions): Promise<Counts> {
  const counts: Counts = {
    passed: 0,
    failed: 0,
    perBackend: new Map([...backends.keys()].map((name) => [name, 0])),
    calls: new Map(),
    graphs: 0,
  };
  const start = performance.now();
  const spent = new Map<BackendName, number>();
  let shrinking = 0;
  const elapsed = (): number => (performance.now() - start) / 1000 - shrinking;
  for (let number = only ?? 0; only === undefined ? elapsed() < seconds && counts.failed < ENOUGH : number === only; number++) {
    const c = drawCase(seed, number, op);
    if (!c) continue;
    counts.graphs++;
    for (const s of c.program) if (!isLeaf(s)) counts.calls.set(s.fn, (counts.calls.get(s.fn) ?? 0) + 1);
    const used = (name: BackendName): number => (spent.get(name) ?? 0) / SHARES[name];
    const least = Math.min(...[...backends.keys()].map(used));
    for (const [name, backend] of backends) {
      if (only === undefined && used(name) > least) continue;
      const before = performance.now();
      const wrong = await runCase(c, backend);
      spent.set(name, (spent.get(name) ?? 0) + (performance.now() - before) / 1000);
      counts.perBackend.set(name, counts.perBackend.get(name)! + 1);
      if (!wrong) {
        counts.passed++;
        continue;
      }
      counts.failed++;
      const began = performance.now();
      const small = await shrink(c, async (smaller) => (await runCase(smaller, backend))?.kind === wrong.kind, SHRINKING);
      shrinking += (performance.now() - began) / 1000;
      print(`\ncase ${number} of seed ${seed} on ${name}: ${wrong.text}`);
      print(`smaller: ${(await runCase(small, backend))?.text ?? "fails not every time"}\n\n${printCase(small)}\n`);
      print(`again: npm run fuzz -- --seed ${seed} --case ${number} --backend ${name}${op === undefined ? "" : ` --op ${op}`}`);
    }
  }
  return counts;
}
