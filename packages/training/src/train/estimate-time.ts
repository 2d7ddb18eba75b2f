import { compile, type Device, matmul, mul, sum, type StepCost, type Tensor } from "@weft/tensor-core";
import type { Batch } from "./batch.js";
import { type EstimateOptions, stepCalls } from "./step-calls.js";
import type { Trainee } from "./trainee.js";

/** How fast a device was found to be. */
export interface DeviceRates {
  /** Operations a second of matrix products, a multiply-add being two. */
  readonly flopsPerSecond: number;
  /** Bytes that are read a second where little is computed. */
  readonly bytesPerSecond: number;
  /** Seconds that a kernel takes which has next to nothing to do. */
  readonly secondsPerKernel: number;
}

/** How long a training takes. */
export interface TrainingTime extends DeviceRates {
  readonly secondsPerStep: number;
  /** Operations of a step. */
  readonly flopsPerStep: number;
}

/** Elements of the vector that is read, and links of the chain of small kernels. */
const [STREAM, CHAIN] = [1 << 22, 64];
/** The largest side of the product that is timed. */
const MOST = 1024;

/** Seconds per call of a function that gives a scalar, called over and over for about so long; the first call, which plans, is not counted. */
async function secondsPerCall(device: Device, f: (...args: Tensor[]) => Tensor, args: Tensor[], seconds: number): Promise<number> {
  const compiled = compile(f, { device });
  const once = async (): Promise<void> => {
    const result = await compiled(...args);
    await result.item();
    result.dispose();
  };
  await once();
  const start = performance.now();
  let [calls, elapsed] = [0, 0];
  while (elapsed < seconds) {
    await once();
    calls++;
    elapsed = (performance.now() - start) / 1000;
  }
  compiled.dispose();
  return elapsed / calls;
}

/** Times products of the sizes of the model's, a stream of memory, and kernels that have nothing to do, each for a third of the time. */
async function ratesOf(device: Device, trainee: Trainee, tokens: number, seconds: number): Promise<DeviceRates> {
  const matrices = [...trainee.baseModel.weights.values()].filter(({ shape }) => shape.length === 2);
  const largest = matrices.reduce<readonly number[]>((best, { shape, size }) => (size > best[0]! * best[1]! ? shape : best), [1, 1]);
  const [n, k, m] = [tokens, largest[1]!, largest[0]!].map((x) => Math.min(x, MOST)) as [number, number, number];
  const ones = (...shape: number[]): Tensor => device.tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1e-3), { shape });
  const inputs = [ones(n, k), ones(k, m), ones(STREAM), ones(8, 8)] as const;
  const [x, w, stream, small] = inputs;
  const product = await secondsPerCall(device, (a, b) => sum(matmul(a!, b!)), [x, w], seconds / 3);
  const read = await secondsPerCall(device, (a) => sum(mul(a!, 2)), [stream], seconds / 3);
  const chain = (a: Tensor): Tensor => sum(Array.from({ length: CHAIN }).reduce<Tensor>((y) => matmul(y, a), a));
  const kernels = await secondsPerCall(device, (a) => chain(a!), [small], seconds / 3);
  for (const t of inputs) t.dispose();
  return { flopsPerSecond: (2 * n * k * m) / product, bytesPerSecond: (4 * STREAM) / read, secondsPerKernel: kernels / CHAIN };
}

/** The slower of computing and of moving memory, and what any kernel takes. */
const secondsOf = ({ flops, bytes }: StepCost, { flopsPerSecond, bytesPerSecond, secondsPerKernel }: DeviceRates): number =>
  secondsPerKernel + Math.max(flops / flopsPerSecond, bytes / bytesPerSecond);

/**
 * How long a step over batches like this one would take: the operations and bytes of its plan, at the rates that the device shows in a benchmark of `seconds`. No weight is
 * read. It is a forecast, not a bound: what else the machine does, and kernels that are faster or slower than products of their size, are not in it.
 * @param seconds of the benchmark; 2 if not given
 * @throws as `train`
 */
export async function estimateTime(
  trainee: Trainee,
  batch: Batch,
  { seconds = 2, ...options }: EstimateOptions & { readonly seconds?: number } = {},
): Promise<TrainingTime> {
  const { device, calls } = await stepCalls(trainee, batch, options);
  const [first] = batch.inputIds as readonly ArrayLike<number>[];
  const rates = await ratesOf(device, trainee, batch.inputIds.length * first!.length, seconds);
  const total = (of: (cost: StepCost) => number): number =>
    calls.reduce((all, { work, times }) => all + times * work.reduce((each, cost) => each + of(cost), 0), 0);
  return { ...rates, secondsPerStep: total((cost) => secondsOf(cost, rates)), flopsPerStep: total(({ flops }) => flops) };
}
