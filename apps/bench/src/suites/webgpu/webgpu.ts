import { tune } from "@weft/kernels-webgpu";
import { tuningFile, writeTuning } from "@weft/kernels-webgpu/node";
import { CapabilityError, Device } from "@weft/tensor-core";
import type { BenchContext, Suite } from "../../context.js";
import { measureMixedBatch } from "../lora/mixed-batch.js";
import { againstOthers } from "./against-others.js";
import { FULL, kernelCases, SMALL } from "./cases/index.js";
import { caseError, measureCase } from "./measure.js";
import { type BenchGpu, openBenchGpu } from "./open.js";
import { measurePeaks, type Peaks } from "./peaks.js";

/** Largest error relative to the largest element: one rounding to bf16 is 2⁻⁹. */
const TOLERANCE = 4e-3;
/** The share of the peak that products shall reach on any GPU. */
const PRODUCT_GOAL = 0.4;

export const webgpuSuite: Suite = {
  name: "webgpu",
  summary:
    "every kernel of kernels-webgpu against the roofline of the GPU, products against jax-js, onnxruntime-web and torch CUDA; --tune first",
  async run(context) {
    const found = await openBenchGpu(context.root, context.note);
    if (!found) return context.note("no GPU and no software driver for this system: nothing to measure");
    const gpu = context.tune ? await tuned(context, found) : found;
    context.version("webgpu device", gpu.name);
    context.note(gpu.software ? `${gpu.name}: every kernel is checked, its times say nothing about any GPU` : gpu.name);
    try {
      const peaks = await measurePeaks(gpu.backend.device, gpu.software || context.quick);
      report(context, gpu, "multiply-adds in registers", "peak", peaks.flops / 1e9, "GFLOP/s");
      report(context, gpu, "copy", "peak", peaks.bandwidth / 1e9, "GB/s");
      await everyKernel(context, gpu, peaks);
      const width = gpu.software || context.quick ? 64 : 4096;
      for (const tokens of [1, 16])
        await measureMixedBatch(
          new Device(gpu.backend),
          { suite: "webgpu", where: gpu.name, width, tokens, judged: !gpu.software },
          context,
        );
      await againstOthers(context, gpu);
    } finally {
      gpu.backend.dispose();
    }
  },
};

/** Tunes for the GPU, and opens it anew, so that what is measured reads the file as everybody does. */
async function tuned(context: BenchContext, { backend, software }: BenchGpu): Promise<BenchGpu> {
  const path = tuningFile();
  const small = software || context.quick;
  const tuning = await tune(backend.device, { note: context.note, ...(small && { products: [[64, 32, 64] as const], width: 64 }) });
  writeTuning(path, backend.device.adapterInfo, tuning);
  context.note(`written to ${path}`);
  backend.dispose();
  return (await openBenchGpu(context.root, context.note))!;
}

function report({ emit }: BenchContext, { name }: BenchGpu, what: string, metric: string, value: number, unit: string, more = {}): void {
  emit({ suite: "webgpu", case: `${what}, ${name}`, metric, value, unit, anchor: null, ratio: null, ...more });
}

async function everyKernel(context: BenchContext, gpu: BenchGpu, peaks: Peaks): Promise<void> {
  const { backend, software } = gpu;
  const small = software || context.quick;
  const [checked, measured] = [kernelCases(SMALL), kernelCases(small ? SMALL : FULL)];
  for (const [i, c] of measured.entries()) {
    const error = await caseError(backend, checked[i]!);
    if (!(error <= TOLERANCE)) throw new Error(`${checked[i]!.name}: off by ${error} from the reference`);
    const result = await unlessTooLarge(context, c.name, () => measureCase(backend, c, small ? 0 : 0.02, small ? 1 : context.rounds));
    if (!result) continue;
    const { seconds, lowering } = result;
    if (software) {
      report(context, gpu, c.name, "time", 1e3 * seconds, "ms", { error });
      continue;
    }
    const roof = Math.max(c.flops / peaks.flops, c.bytes / peaks.bandwidth);
    if (c.flops > 0) report(context, gpu, c.name, "speed", c.flops / seconds / 1e9, "GFLOP/s", { error });
    report(context, gpu, c.name, "traffic", c.bytes / seconds / 1e9, "GB/s");
    const goal = c.name.startsWith("matmul ") && { goal: `≥ ${PRODUCT_GOAL}`, met: c.flops / seconds / peaks.flops >= PRODUCT_GOAL };
    report(context, gpu, c.name, "share of the roof", roof / seconds, "", goal || {});
    report(context, gpu, c.name, "lowering", 1e3 * lowering, "ms");
  }
}

/** Cases whose tensors a small GPU cannot bind are left out. */
async function unlessTooLarge<T>(context: BenchContext, name: string, measure: () => Promise<T>): Promise<T | undefined> {
  try {
    return await measure();
  } catch (error) {
    if (!(error instanceof CapabilityError)) throw error;
    context.note(`${name}, left out: ${error.message}`);
    return undefined;
  }
}
