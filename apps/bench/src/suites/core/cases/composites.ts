import { createWasmBackend, type WasmBackend } from "@weft/kernels-wasm";
import * as w from "@weft/tensor-core";
import type { BenchContext } from "../../../context.js";
import { takeTurns, timeCalls } from "../../../turns.js";
import { numbers } from "../../matmul/product.js";
import type { CoreCase } from "./case.js";

/** A computation whose composite the CPU backend may run with a kernel of its own, or by its decomposition. */
interface Subject {
  readonly name: string;
  /** The composites in question: without their kernels it is decomposed. */
  readonly composites: readonly string[];
  readonly build: (device: w.Device) => readonly w.Tensor[];
  /** Work, where a rate says more than a time. */
  readonly flops?: number;
  readonly bytes?: number;
  /** Least rate of the kernel, GFLOP/s or GB/s. */
  readonly goal?: number;
}

const f32 = (device: w.Device, shape: readonly number[], seed = 1): w.Tensor => device.tensor(numbers(w.sizeOf(shape), seed), { shape });
const i32 = (device: w.Device, count: number, below: number): w.Tensor =>
  device.tensor(Int32Array.from({ length: count }, (_, i) => (i * 7919) % below));
/** Gradients with respect to `inputs` of Σ y·dy for some dy. */
const slopes = (device: w.Device, y: w.Tensor, inputs: readonly w.Tensor[]): w.Tensor[] => w.vjp([y], [f32(device, y.shape, 9)], inputs);

function attention(device: w.Device, heads: number, groups: number, queries: number, keys: number, width: number): readonly w.Tensor[] {
  return [f32(device, [1, heads, queries, width]), f32(device, [1, groups, keys, width], 2), f32(device, [1, groups, keys, width], 3)];
}

/** RWKV-4's recurrence from the beginning, of `channels`. */
function wkv(d: w.Device, length: number, channels: number) {
  const [k, v] = [f32(d, [1, length, channels]), f32(d, [1, length, channels], 2)];
  const none = (): w.Tensor => f32(d, [1, channels], 5);
  const start = { numerator: none(), denominator: w.exp(none()), exponent: none() };
  return { ...w.wkv(w.neg(w.exp(f32(d, [channels], 3))), f32(d, [channels], 4), k, v, start), inputs: [k, v] };
}

/** Mamba's recurrence. */
function selectiveScan(d: w.Device, length: number, channels: number, states: number) {
  const [x, b, c] = [f32(d, [1, length, channels]), f32(d, [1, length, states], 2), f32(d, [1, length, states], 3)];
  const delta = w.mul(w.exp(f32(d, [1, length, channels], 4)), 0.1);
  const a = w.neg(w.exp(f32(d, [channels, states], 5)));
  const start = f32(d, [1, channels, states], 6);
  return { ...w.selectiveScan({ x, delta, a, b, c, d: f32(d, [channels], 7), start }), inputs: [x, delta, b, c] };
}

const [T, H, D] = [512, 8, 64];
const causal = 2 * H * T * T * D;
const decoding = (groups: number): number => 2 * 2048 * groups * D * 4;

const SUBJECTS: readonly Subject[] = [
  {
    name: `attention causal H${H} T${T} D${D}`,
    composites: ["attention"],
    build: (d) => {
      const [q, k, v] = attention(d, H, H, T, T, D) as [w.Tensor, w.Tensor, w.Tensor];
      return [w.attention(q, k, v, { causal: true })];
    },
    flops: causal,
    goal: 35,
  },
  {
    name: `attention causal H${H} T${T} D${D}, forward and backward`,
    composites: ["attention", "attentionBackward"],
    build: (d) => {
      const inputs = attention(d, H, H, T, T, D) as [w.Tensor, w.Tensor, w.Tensor];
      return slopes(d, w.attention(...inputs, { causal: true }), inputs);
    },
    flops: 3.5 * causal,
    goal: 35,
  },
  ...[8, 2].map((groups): Subject => ({
    name: `attention of one query, H8 G${groups} S2048 D${D}`,
    composites: ["attention"],
    build: (d) => {
      const [q, k, v] = attention(d, H, groups, 1, 2048, D) as [w.Tensor, w.Tensor, w.Tensor];
      return [w.attention(q, k, v, { lengths: d.tensor([2048], { dtype: "i32" }), causal: true })];
    },
    bytes: decoding(groups),
    ...(groups === 8 && { goal: 20 }),
  })),
  ...[1, 256].map((length): Subject => ({
    name: `wkv ${length}×768`,
    composites: ["wkv"],
    build: (d) => {
      const { y, state } = wkv(d, length, 768);
      return [y, ...Object.values(state)];
    },
  })),
  {
    name: "wkv 256×768, gradients",
    composites: ["wkv"],
    build: (d) => {
      const { y, inputs } = wkv(d, 256, 768);
      return slopes(d, y, inputs);
    },
  },
  ...[1, 256].map((length): Subject => ({
    name: `selectiveScan ${length}×1536, 16 states`,
    composites: ["selectiveScan"],
    build: (d) => {
      const { y, state } = selectiveScan(d, length, 1536, 16);
      return [y, state];
    },
  })),
  {
    name: "selectiveScan 256×1536, 16 states, gradients",
    composites: ["selectiveScan"],
    build: (d) => {
      const { y, inputs } = selectiveScan(d, 256, 1536, 16);
      return slopes(d, y, inputs);
    },
  },
  { name: "topK 50 of 2^20", composites: ["topK"], build: (d) => [w.topK(f32(d, [1 << 20]), 50).values] },
  { name: "cayley 64 blocks 32×32", composites: ["cayley", "inverse"], build: (d) => [w.cayley(skew(d, 64, 32))] },
  { name: "cayley 512 blocks 8×8", composites: ["cayley", "inverse"], build: (d) => [w.cayley(skew(d, 512, 8))] },
  {
    name: "rmsNorm 512×2048",
    composites: ["rmsNorm"],
    build: (d) => [w.rmsNorm(f32(d, [512, 2048]), f32(d, [2048], 2), 1e-5)],
    bytes: 8 << 20,
  },
  {
    name: "rmsNorm 512×2048, gradients",
    composites: ["rmsNorm", "normWeightGradient"],
    build: (d) => {
      const inputs = [f32(d, [512, 2048]), f32(d, [2048], 2)] as const;
      return slopes(d, w.rmsNorm(...inputs, 1e-5), inputs);
    },
    bytes: 12 << 20,
  },
  {
    name: "layerNorm 512×2048, gradients",
    composites: ["layerNorm", "normWeightGradient"],
    build: (d) => {
      const inputs = [f32(d, [512, 2048]), f32(d, [2048], 2), f32(d, [2048], 3)] as const;
      return slopes(d, w.layerNorm(...inputs, 1e-5), inputs);
    },
    bytes: 12 << 20,
  },
  {
    name: "rope [1, 32, 512, 64]",
    composites: ["rope"],
    build: (d) => [w.rope(f32(d, [1, 32, 512, 64]), f32(d, [1, 512, 64], 2), f32(d, [1, 512, 64], 3))],
    bytes: 8 << 20,
  },
  {
    name: "softmaxCrossEntropy 128×32000, with gradient",
    composites: ["softmaxCrossEntropy"],
    build: (d) => {
      const logits = f32(d, [128, 32000]);
      const loss = w.softmaxCrossEntropy(logits, i32(d, 128, 32000));
      return [loss, ...w.gradients(loss, [logits])];
    },
    bytes: 2 * 128 * 32000 * 4,
  },
  {
    name: "adamwStep 2^20",
    composites: ["adamwStep"],
    build: (d) => {
      const [p, g, m, v] = [1, 2, 3, 4].map((seed) => f32(d, [1 << 20], seed)) as [w.Tensor, w.Tensor, w.Tensor, w.Tensor];
      const scalar = (x: number): w.Tensor => d.tensor(Float32Array.of(x), { shape: [] });
      const next = w.adamwStep(
        { p, g, m, v: w.abs(v), lr: scalar(1e-3), step: scalar(3) },
        { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01 },
      );
      return [next.p, next.m, next.v];
    },
    bytes: 28 << 20,
  },
  {
    name: "sgdStep 2^20 with momentum",
    composites: ["sgdStep"],
    build: (d) => {
      const [p, g, buffer] = [1, 2, 3].map((seed) => f32(d, [1 << 20], seed)) as [w.Tensor, w.Tensor, w.Tensor];
      const lr = d.tensor(Float32Array.of(1e-3), { shape: [] });
      const next = w.sgdStep({ p, g, buffer, lr }, { momentum: 0.9, nesterov: false, weightDecay: 0.01 });
      return [next.p, next.buffer!];
    },
    bytes: 20 << 20,
  },
  {
    name: "blockRotate 512×1024 by 32 blocks 32×32",
    composites: ["blockRotate"],
    build: (d) => [w.blockRotate(f32(d, [512, 1024]), f32(d, [32, 32, 32], 2))],
    flops: 2 * 512 * 1024 * 32,
  },
  {
    name: "kronLinear 128×1024, 32×32 ⊗ 32×32",
    composites: ["kronLinear"],
    build: (d) => [w.kronLinear(f32(d, [128, 1024]), f32(d, [32, 32], 2), f32(d, [32, 32], 3))],
    flops: 4 * 128 * 1024 * 32,
  },
  {
    name: "loraLinear 1×1024 → 1024, rank 8",
    composites: ["loraLinear"],
    build: (d) => [w.loraLinear(f32(d, [1, 1024]), f32(d, [1024, 1024], 2), f32(d, [8, 1024], 3), f32(d, [1024, 8], 4), 2)],
    bytes: 4 << 20,
  },
  {
    name: "multiLora 16×1024 → 1024, 4 adapters of rank 8",
    composites: ["multiLora"],
    build: (d) => {
      const four = [1, 2, 3, 4];
      const bank = w.loraBank(
        four.map((i) => f32(d, [8, 1024], i)),
        four.map((i) => f32(d, [1024, 8], i + 4)),
        four,
      );
      return [w.multiLora(f32(d, [16, 1024]), i32(d, 16, 4), bank)];
    },
    flops: 4 * 16 * 1024 * 8,
  },
  {
    name: "mergeLowRank 1024², bf16, rank 16",
    composites: ["mergeLowRank"],
    build: (d) => [w.mergeLowRank(w.cast(f32(d, [1024, 1024]), "bf16"), f32(d, [16, 1024], 2), f32(d, [1024, 16], 3), { scale: 2 })],
    bytes: 4 << 20,
  },
];

function skew(device: w.Device, count: number, size: number): w.Tensor {
  const x = w.mul(f32(device, [count, size, size]), 0.2);
  return w.sub(x, w.swapLast(x));
}

/** Every subject by its kernel and by its decomposition in turn, beside a copy of 4 MiB as a measure of the memory. */
export const compositesCase: CoreCase = {
  name: "composites",
  async run(context) {
    const backend = await createWasmBackend({ threads: 1, relaxed: true });
    const device = new w.Device(backend);
    const copy = await prepare(device, backend, [w.add(f32(device, [1 << 20]), 1)], []);
    for (const subject of SUBJECTS) await measure(context, device, backend, subject, copy);
    device.dispose();
  },
};

/** A plan, lowered, on memory that is allocated before. */
interface Prepared {
  readonly run: () => void;
  readonly steps: number;
  readonly scratch: number;
  readonly kernels: readonly string[];
  dispose(): void;
}

async function prepare(
  device: w.Device,
  backend: WasmBackend,
  outputs: readonly w.Tensor[],
  without: readonly string[],
): Promise<Prepared> {
  const { plan, leaves } = w.planGraph(outputs, [], (call) => !without.includes(call.name) && backend.claims(call));
  const executable = await backend.lower(plan);
  const inputs = leaves.map((t) => device.bufferOf(t));
  const results = plan.outputs.map(({ buffer }) => backend.allocate(plan.buffers[buffer]!.bytes));
  return {
    run: () => backend.run(executable, inputs, results),
    steps: plan.steps.length,
    scratch: plan.scratchBytes,
    kernels: executable.kernels,
    dispose() {
      executable.dispose();
      for (const buffer of results) backend.free(buffer);
      for (const leaf of leaves) device.release(leaf);
    },
  };
}

async function measure(context: BenchContext, device: w.Device, backend: WasmBackend, subject: Subject, copy: Prepared): Promise<void> {
  const { name, composites, build, flops, bytes, goal } = subject;
  const outputs = build(device);
  const own = await prepare(device, backend, outputs, []);
  const apart = await prepare(device, backend, outputs, composites);
  const claimed = own.kernels.some((kernel) => composites.includes(kernel.split(" ")[0]!));
  const turn =
    ({ run }: Prepared) =>
    (seconds: number) =>
      timeCalls(run, seconds);
  const contestants = [
    { name: "copy", turn: turn(copy) },
    { name: "decomposed", turn: turn(apart) },
    ...(claimed ? [{ name: "kernel", turn: turn(own) }] : []),
  ];
  const times = await takeTurns(contestants, { rounds: context.rounds, seconds: context.quick ? 0.01 : 0.15 });
  const best = (who: string): number => times.get(who)!.best;
  const seconds = best(claimed ? "kernel" : "decomposed");
  const common = { suite: "core", case: `${name}, ${claimed ? "kernel" : `decomposed in ${own.steps} steps`}` };
  context.emit({
    ...common,
    metric: "time",
    value: seconds * 1e6,
    unit: "µs",
    anchor: claimed ? `decomposed in ${apart.steps} steps` : null,
    ratio: claimed ? best("decomposed") / seconds : null,
  });
  const work = flops ?? bytes;
  if (work) {
    const rate = work / seconds / 1e9;
    const unit = flops ? "GFLOP/s" : "GB/s";
    // The copy reads 4 MiB and writes 4 MiB.
    const share = bytes
      ? { anchor: "a copy of as many bytes", ratio: (rate * 1e9 * best("copy")) / (8 << 20) }
      : { anchor: null, ratio: null };
    context.emit({ ...common, metric: "rate", value: rate, unit, ...share, ...(goal && { goal: `≥ ${goal} ${unit}`, met: rate >= goal }) });
  }
  own.dispose();
  apart.dispose();
}
