import { decode, Device, type DType, isFloat, planGraph, referenceDevice, sizeOf, type Tensor, tensor } from "@weft/tensor-core";
import { firstDifference, numbers, ulp } from "@weft/tensor-core/testing";
import { afterAll, beforeAll } from "vitest";
import type { WebGpuBackend, WebGpuOptions } from "../index.js";
import { createNodeWebGpuBackend } from "../node/index.js";

export { numbers, ulp };

// SwiftShader zeroes workgroup memory by one store per element and compiles that for seconds. No kernel reads what it has not written.
const FLAGS = ["enable-dawn-features=disable_workgroup_init"];

/** The GPU of this machine, or the software one that the set-up of the tests provides. One per file: pipelines are cached in it. */
export async function openTestDevice(options: WebGpuOptions = {}): Promise<{ device: Device; backend: WebGpuBackend }> {
  const backend = await createNodeWebGpuBackend({ tuningFile: false, ...options, dawnFlags: FLAGS });
  return { device: new Device(backend), backend };
}

/** What the tests of a file share. */
export interface TestDevice {
  readonly device: Device;
  readonly backend: WebGpuBackend;
}

/** Opens a device before the tests of a file and closes it after them. */
export function useTestDevice(options: WebGpuOptions = {}): TestDevice {
  const held: { device?: Device; backend?: WebGpuBackend } = {};
  beforeAll(async () => void Object.assign(held, await openTestDevice(options)));
  afterAll(() => held.device?.dispose());
  return held as TestDevice;
}

/** Names of the kernels that computing a tensor calls; with `claims`, composites that the backend claims are kept. */
export async function kernelsOf({ backend }: TestDevice, t: Tensor, claims = true): Promise<readonly string[]> {
  const executable = await backend.lower(planGraph([t], [], (call) => claims && backend.claims(call)).plan);
  executable.dispose();
  return executable.kernels;
}

/** A constant of deterministic numbers (integers: up to about ±150). */
export function sample(shape: number[], dtype: DType = "f32", seed = 1): Tensor {
  return tensor(
    numbers(sizeOf(shape), seed).map((v) => (isFloat(dtype) ? v : Math.round(v * 50))),
    { shape, dtype },
  );
}

export interface Tolerance {
  readonly relative?: number;
  readonly absolute?: number;
}

/** Runs a graph on the GPU and on the reference and compares: |got - expected| ≤ absolute + relative · |expected|, NaN equal to NaN. */
export async function expectSame(
  device: Device,
  build: () => Tensor | readonly Tensor[],
  { relative = 1e-6, absolute = 1e-6 }: Tolerance = {},
): Promise<void> {
  const list = (t: Tensor | readonly Tensor[]): readonly Tensor[] => (Array.isArray(t) ? (t as readonly Tensor[]) : [t as Tensor]);
  const [expected, got] = [list(build()), list(build())];
  await referenceDevice().evaluate(expected);
  await device.evaluate(got);
  for (const [k, want] of expected.entries()) {
    const wanted = await values(referenceDevice(), want);
    const found = await values(device, got[k]!);
    const difference = firstDifference(found, wanted, { relative, absolute });
    if (difference) throw new Error(`output ${k} (${want.dtype}[${want.shape}]): ${difference}`);
  }
}

async function values(device: Device, t: Tensor): Promise<Float64Array> {
  return decode(await device.bytes(t), t.dtype);
}
