import type { Backend, BackendStatistics } from "../backend.js";
import { compile } from "../compile.js";
import { attention } from "../composites/attention.js";
import { loraLinear } from "../composites/lora-linear.js";
import { rmsNorm } from "../composites/norm.js";
import { adamwStep } from "../composites/optimizer.js";
import { Device } from "../device.js";
import { explainPlan } from "../explain.js";
import type { Tensor } from "../graph.js";
import { add, mul } from "../ops/elementwise.js";
import { conv, embedding, linear } from "../ops/linear.js";
import { reshape, swapLast, transpose } from "../ops/movement.js";
import { mean } from "../ops/reduce.js";
import { valueAndGrad } from "../transforms/grad.js";
import { flattenTree, type Tree } from "../transforms/tree.js";
import { sample } from "./case.js";
import type { Check } from "./conformance.js";

/** A backend that counts its memory. */
export type CountedBackend = Backend & { statistics(): BackendStatistics };

interface MemoryCase {
  readonly name: string;
  /** Arguments, weights that the function closes over, and the function. */
  readonly build: (device: Device) => {
    readonly args: readonly Tree[];
    readonly weights: readonly Tensor[];
    readonly fn: (...args: never[]) => Tree;
  };
}

/** Whole graphs of the kinds that people run: each kind of step that takes temporaries is in one of them. */
const MEMORY_CASES: readonly MemoryCase[] = [
  {
    name: "bf16 weights, sixteen layers",
    build: (device) => {
      const weights = Array.from({ length: 16 }, (_, i) => sample(device, [64, 64], "bf16", i));
      return { args: [sample(device, [24, 64])], weights, fn: (x: Tensor) => weights.reduce((h, w) => linear(h, w), x) };
    },
  },
  {
    name: "convolutions, plain and of bf16 in groups",
    build: (device) => {
      const weights = [sample(device, [8, 6, 3, 3]), sample(device, [8, 4, 3, 3], "bf16", 2)];
      const fn = (x: Tensor): Tensor => conv(conv(x, weights[0]!, { padding: 1 }), weights[1]!, { groups: 2, stride: 2 });
      return { args: [sample(device, [3, 6, 15, 17])], weights, fn };
    },
  },
  {
    name: "a block with attention on tokens",
    build: (device) => {
      const [tokens, width, heads] = [19, 32, 4];
      const weights = [
        sample(device, [50, width], "f16"),
        ...[1, 2, 3, 4].map((i) => sample(device, [width, width], "f32", i)),
        sample(device, [width]),
      ];
      const [table, wq, wk, wv, wo, norm] = weights as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
      const split = (x: Tensor): Tensor => transpose(reshape(x, [1, tokens, heads, width / heads]), [0, 2, 1, 3]);
      const fn = (ids: Tensor): Tensor => {
        const x = embedding(table, ids);
        const h = rmsNorm(x, norm, 1e-6);
        const y = attention(split(linear(h, wq)), split(linear(h, wk)), split(linear(h, wv)), { causal: true });
        return add(x, linear(reshape(transpose(y, [0, 2, 1, 3]), [tokens, width]), wo));
      };
      return {
        args: [
          device.tensor(
            Array.from({ length: tokens }, (_, i) => (i * 7) % 50),
            { dtype: "i32" },
          ),
        ],
        weights,
        fn,
      };
    },
  },
  {
    name: "a LoRA training step with AdamW",
    build: (device) => {
      const [width, rank] = [48, 4];
      const weights = [1, 2, 3].map((i) => sample(device, [width, width], "bf16", i));
      const factors = (seed: number): Tensor[] =>
        weights.flatMap((_, i) => [sample(device, [rank, width], "f32", seed + i), sample(device, [width, rank], "f32", seed + 9 + i)]);
      const loss = (p: Tensor[], x: Tensor): Tensor => {
        const y = weights.reduce((h, w, i) => loraLinear(h, w, p[2 * i]!, p[2 * i + 1]!, 0.5), x);
        return mean(mul(y, y));
      };
      const attrs = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01 };
      const fn = (s: { p: Tensor[]; m: Tensor[]; v: Tensor[] }, x: Tensor, step: Tensor, lr: Tensor): Tree => {
        const { value, grads } = valueAndGrad(loss)(s.p, x);
        return { value, next: s.p.map((p, i) => adamwStep({ p, g: grads[i]!, m: s.m[i]!, v: s.v[i]!, lr, step }, attrs)) };
      };
      const state = { p: factors(1), m: factors(30), v: factors(60) };
      return { args: [state, sample(device, [40, width]), device.tensor(3), device.tensor(0.01)], weights, fn };
    },
  },
  {
    name: "products with a transposed batch",
    build: (device) => {
      const weights = [sample(device, [5, 33, 20], "f16")];
      const fn = (x: Tensor): Tensor => linear(swapLast(x), swapLast(weights[0]!));
      return { args: [sample(device, [5, 33, 7])], weights, fn };
    },
  },
];

/** What a backend holds while a compiled function runs is what its plan says, and all is given back. */
export function memoryChecks(open: () => CountedBackend | Promise<CountedBackend>): {
  readonly checks: readonly Check[];
  readonly close: () => Promise<void>;
} {
  let device: Promise<Device> | undefined;
  const opened = async (): Promise<Device> => new Device(await open());
  return {
    checks: MEMORY_CASES.map((c) => ({ name: c.name, run: async () => checkMemory(await (device ??= opened()), c) })),
    close: async () => (await device)?.dispose(),
  };
}

async function checkMemory(device: Device, { name, build }: MemoryCase): Promise<void> {
  const backend = device.backend as CountedBackend;
  const before = backend.statistics();
  const { args, weights, fn } = build(device);
  const compiled = compile(fn as (...args: readonly Tree[]) => Tree, { device });
  const { executable } = await compiled.prepare(...args);
  const results = await compiled(...args);
  const during = backend.statistics();
  const { peakBytes } = executable.plan;
  demand(`${name}: bytes in use`, during.usedBytes - before.usedBytes, peakBytes);
  demand(`${name}: the peak of explain`, Number(/peak (\d+) B/.exec(explainPlan(executable.plan))![1]), peakBytes);
  demand(
    `${name}: footprint`,
    JSON.stringify(await backend.footprint!(executable.plan)),
    JSON.stringify({ arenaBytes: during.arenaBytes - before.arenaBytes, ownBytes: during.planBytes - before.planBytes }),
  );
  await compiled(...args).then((more) => dispose(more));
  dispose(results);
  compiled.dispose();
  dispose([args as Tree, weights as Tree]);
  await new Promise((resolve) => setTimeout(resolve, 0));
  const after = backend.statistics();
  demand(`${name}: bytes in use after everything was disposed of`, after.usedBytes, before.usedBytes);
  demand(`${name}: arena after everything was disposed of`, after.arenaBytes, before.arenaBytes);
}

function dispose(tree: Tree): void {
  for (const t of flattenTree(tree).leaves) t.dispose();
}

function demand<T>(what: string, got: T, expected: T): void {
  if (got !== expected) throw new Error(`${what}: ${got}, expected ${expected}`);
}
