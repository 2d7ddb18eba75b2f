import { KERNELS, type WebGpuBackend } from "@weft/kernels-webgpu";
import { createNodeWebGpuBackend } from "@weft/kernels-webgpu/node";
import { Device, planGraph, Tensor } from "@weft/tensor-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FULL, type KernelCase, kernelCases, SMALL } from "./cases/index.js";
import { caseError, makeOn, measureCase } from "./measure.js";
import { measurePeaks } from "./peaks.js";

let backend: WebGpuBackend;
beforeAll(
  async () =>
    void (backend = await createNodeWebGpuBackend({ tuningFile: false, dawnFlags: ["enable-dawn-features=disable_workgroup_init"] })),
);
afterAll(() => backend.dispose());

describe("the cases", () => {
  it("cover every kernel of the backend", () => {
    const covered = new Set(kernelCases(SMALL).flatMap((c) => c.kernels));
    expect([...covered].sort()).toEqual([...Object.keys(KERNELS.ops), ...Object.keys(KERNELS.composites)].sort());
  });
  it("are the same in both sizes, and cost something", () => {
    const [small, full] = [kernelCases(SMALL), kernelCases(FULL)];
    expect(full.map((c) => c.kernels)).toEqual(small.map((c) => c.kernels));
    for (const c of [...small, ...full]) expect(c.bytes, c.name).toBeGreaterThan(0);
  });
  it("run the kernels that they name", () => {
    const device = new Device(backend);
    for (const c of kernelCases(SMALL)) {
      const make = makeOn(device);
      const outputs = c.build(make, c.known?.(make) ?? []);
      const { plan } = planGraph(outputs instanceof Tensor ? [outputs] : outputs, [], (call) => backend.claims(call));
      const ops = plan.steps.map((step) => (step.kind === "fused" ? "fused" : step.op));
      expect(ops, c.name).toEqual(expect.arrayContaining([...c.kernels]));
    }
  });
});

describe("a case", () => {
  const [matmul] = kernelCases(SMALL);
  it("is compared with f64 and timed", async () => {
    expect(await caseError(backend, matmul!)).toBeLessThan(1e-5);
    const { seconds, kernels } = await measureCase(backend, matmul!, 0, 1);
    expect(seconds).toBeGreaterThan(0);
    expect(kernels).toEqual(["matmul 32x32"]);
  });
  it("that is wrong is found out", async () => {
    const wrong: KernelCase = { ...matmul!, build: (make) => make([2, 2], "f32", Math.random()) };
    expect(await caseError(backend, wrong)).toBeGreaterThan(0.01);
  });
});

it("peaks are positive numbers", async () => {
  const { flops, bandwidth } = await measurePeaks(backend.device, true);
  expect(flops).toBeGreaterThan(1e6);
  expect(bandwidth).toBeGreaterThan(1e6);
});
