import { availableParallelism } from "node:os";
import { enableRelaxedSimd } from "@weft/kernels-wasm/node";
import type { BenchContext, Suite } from "../../context.js";
import { takeTurns } from "../../turns.js";
import type { Engine, Prepared } from "./engine.js";
import { jaxEngine } from "./jax.js";
import { onnxruntimeEngine } from "./onnxruntime.js";
import { makeProduct, type Product, productError } from "./product.js";
import { tfjsEngine } from "./tfjs.js";
import { torchEngine } from "./torch.js";
import { weftEngine } from "./weft.js";

const SHAPES: readonly (readonly [m: number, k: number, n: number])[] = [
  [512, 512, 512],
  [1024, 1024, 1024],
  [4096, 16, 4096],
  [128, 2048, 2048],
  [1, 2048, 2048],
];
/** A result further from f64 than this is wrong: f32 sums of 2048 products stay below 1e-5. */
const TOLERANCE = 1e-4;

/** What the project wants of the 1024³ product: least ratio of a contestant to an anchor. */
const GOALS: readonly (readonly [contestant: string, anchor: string, ratio: number])[] = [
  ["weft 1 thread", "torch 1 thread", 0.42],
  ["weft 1 thread relaxed", "torch 1 thread", 0.52],
  ["weft 1 thread relaxed", "tfjs wasm 1 thread", 1.3],
  ["weft 1 thread relaxed", "jax-js wasm 1 thread", 1.6],
  ["weft 2 threads", "weft 1 thread", 1.8],
  ["weft 2 threads relaxed", "weft 1 thread relaxed", 1.8],
];

export const matmulSuite: Suite = {
  name: "matmul",
  summary: "f32 matrix products: weft on 1 and 2 threads, with and without fused multiply-add, against torch and JavaScript engines",
  async run(context) {
    // Before the first WebAssembly of the process.
    enableRelaxedSimd();
    const engines = await startEngines(context);
    for (const [m, k, n] of context.quick ? [[96, 64, 80] as const, [1, 256, 256] as const] : SHAPES)
      await measure(makeProduct(m, k, n), engines, context);
    for (const engine of engines) engine.dispose?.();
  },
};

async function startEngines(context: BenchContext): Promise<Engine[]> {
  const two = availableParallelism() > 1;
  const [python, peers] = [await context.python(), await context.peers()];
  const starts: (() => Promise<Engine>)[] = [() => weftEngine(1, false), () => weftEngine(1, true)];
  if (two)
    starts.push(
      () => weftEngine(2, false),
      () => weftEngine(2, true),
    );
  if (python) starts.push(async () => torchEngine(python, 1));
  if (python && two) starts.push(async () => torchEngine(python, 2));
  if (peers) {
    starts.push(
      () => onnxruntimeEngine(peers, "node", 1),
      () => onnxruntimeEngine(peers, "web", 1),
      () => tfjsEngine(peers),
      () => jaxEngine(peers),
    );
    for (const name of ["onnxruntime-node", "onnxruntime-web", "@jax-js/jax", "@tensorflow/tfjs-backend-wasm"] as const)
      context.version(name, peers.version(name));
  }
  const engines: Engine[] = [];
  for (const start of starts) {
    try {
      engines.push(await start());
    } catch (error) {
      context.note(`left out: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return engines;
}

const threadsOf = (name: string): string => /\d+(?= threads?)/.exec(name)![0];

async function measure(product: Product, engines: readonly Engine[], context: BenchContext): Promise<void> {
  const ready: Prepared[] = [];
  const errors = new Map<string, number>();
  for (const engine of engines) {
    const prepared = await engine.prepare(product);
    const error = productError(product, await prepared.result());
    if (!(error <= TOLERANCE) && engine.name.startsWith("weft"))
      throw new Error(`${engine.name}, ${product.name}: off by ${error} from the f64 reference`);
    if (!(error <= TOLERANCE)) {
      context.note(`${engine.name}, ${product.name}: off by ${error}, left out`);
      continue;
    }
    errors.set(engine.name, error);
    ready.push(prepared);
  }
  const times = await takeTurns(ready, { rounds: context.rounds, seconds: context.quick ? 0.02 : 0.3 });
  const operations = 2 * product.m * product.k * product.n;
  for (const [name, { best, spread, rounds }] of times) {
    const common = {
      suite: "matmul",
      case: `${product.name}, ${name}`,
      metric: "speed",
      value: operations / best / 1e9,
      unit: "GFLOP/s",
      spread,
      rounds,
      error: errors.get(name)!,
    };
    const anchors = [...times.keys()].filter(
      (anchor) =>
        anchor !== name &&
        name.startsWith("weft") &&
        (GOALS.some(([c, a]) => c === name && a === anchor) || (!anchor.startsWith("weft") && threadsOf(anchor) === threadsOf(name))),
    );
    if (anchors.length === 0) context.emit({ ...common, anchor: null, ratio: null });
    for (const anchor of anchors) {
      const ratio = times.get(anchor)!.best / best;
      const goal = product.m === 1024 && product.k === 1024 ? GOALS.find(([c, a]) => c === name && a === anchor)?.[2] : undefined;
      context.emit({ ...common, anchor, ratio, ...(goal !== undefined && { goal: `ratio ≥ ${goal}`, met: ratio >= goal }) });
    }
  }
  for (const prepared of ready) await prepared.release();
}
