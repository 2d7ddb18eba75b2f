import { secondsPerRun, type WebGpuBackend } from "@weft/kernels-webgpu";
import { decode, Device, type DType, planGraph, referenceDevice, type Shape, sizeOf, Tensor } from "@weft/tensor-core";
import type { KernelCase, Make } from "./cases/index.js";

/** A constant of numbers in [-0.5, 0.5), the same on every device. */
export function makeOn(device: Device): Make {
  return (shape: Shape, dtype: DType = "f32", seed = 1) => {
    const values = new Float32Array(sizeOf(shape));
    let state = seed * 40503 + 1;
    for (let i = 0; i < values.length; i++) {
      state = (Math.imul(state, 48271) >>> 0) % 2147483647;
      values[i] = state / 2147483647 - 0.5;
    }
    return device.tensor(values, { shape, dtype });
  };
}

async function built(device: Device, { known, build }: KernelCase): Promise<readonly Tensor[]> {
  const make = makeOn(device);
  const inputs = known?.(make) ?? [];
  await device.evaluate(inputs);
  const outputs = build(make, inputs);
  return outputs instanceof Tensor ? [outputs] : outputs;
}

/** Largest error of the backend's results, relative to the largest element, against the reference, which sums in f64. */
export async function caseError(backend: WebGpuBackend, c: KernelCase): Promise<number> {
  const values = async (device: Device): Promise<Float64Array[]> => {
    const outputs = await built(device, c);
    await device.evaluate(outputs);
    const list: Float64Array[] = [];
    for (const t of outputs) list.push(decode(await device.bytes(t), t.dtype));
    return list;
  };
  const [wanted, got] = [await values(referenceDevice()), await values(new Device(backend))];
  let worst = 0;
  wanted.forEach((list, k) => {
    const size = list.reduce((top, v) => Math.max(top, Math.abs(v)), 1e-30);
    list.forEach((v, i) => (worst = Math.max(worst, v === got[k]![i] ? 0 : Math.abs(v - got[k]![i]!) / size || Infinity)));
  });
  return worst;
}

export interface Measured {
  /** Seconds per run. */
  readonly seconds: number;
  /** Seconds that lowering took, compiling shaders that were not compiled before included. */
  readonly lowering: number;
  readonly kernels: readonly string[];
}

/** Times a case on memory that is allocated before. */
export async function measureCase(backend: WebGpuBackend, c: KernelCase, seconds: number, rounds: number): Promise<Measured> {
  const device = new Device(backend);
  const outputs = await built(device, c);
  const { plan, leaves } = planGraph(outputs, [], (call) => backend.claims(call));
  const start = performance.now();
  const executable = await backend.lower(plan);
  const lowering = (performance.now() - start) / 1000;
  const buffers = plan.outputs.map(({ buffer }) => backend.allocate(plan.buffers[buffer]!.bytes));
  const inputs = leaves.map((t) => device.bufferOf(t));
  try {
    const best = await secondsPerRun(backend, executable, inputs, buffers, { seconds, rounds });
    return { seconds: best, lowering, kernels: executable.kernels };
  } finally {
    for (const buffer of buffers) backend.free(buffer);
    for (const t of leaves) device.release(t);
    executable.dispose();
  }
}
