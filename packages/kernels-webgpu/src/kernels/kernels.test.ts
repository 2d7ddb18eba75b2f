import { Device, planGraph, referenceDevice, type Tensor } from "@weft/tensor-core";
import { COMPOSITE_CASES, type ConformanceCase, firstDifference, valuesOf } from "@weft/tensor-core/testing";
import { describe, expect, it } from "vitest";
import { createWebGpuBackend } from "../backend.js";
import { useTestDevice } from "../testing/gpu.js";
import { KERNELS } from "./index.js";

const gpu = useTestDevice();

const outputsOf = (c: ConformanceCase, device: Device): readonly Tensor[] => [c.build(device)].flat() as Tensor[];

/** The composites that a plan for `device` calls as kernels. */
function kernelsIn(c: ConformanceCase, device: Device): string[] {
  const { plan } = planGraph(outputsOf(c, device), [], (call) => device.backend.claims(call));
  return plan.steps.flatMap((step) => (step.kind === "composite" ? [step.op] : []));
}

/** The table of kernels without one composite, on the GPU of this file. */
async function deviceWithout(name: string): Promise<Device> {
  const composites = Object.fromEntries(Object.entries(KERNELS.composites).filter(([other]) => other !== name));
  return new Device(await createWebGpuBackend(gpu.backend.device, { kernels: { ...KERNELS, composites } }));
}

/** Cases per kernel; all of them run in the conformance test. */
const CASES_EACH = 1;

describe("a composite's row in the table of kernels is only an optimisation", () => {
  it.each(Object.keys(KERNELS.composites))("%s: without it the decomposition runs, with the same result", async (name) => {
    const cases = COMPOSITE_CASES.filter((c) => kernelsIn(c, gpu.device).includes(name)).slice(0, CASES_EACH);
    expect(cases, "cases of the conformance table that call the kernel").not.toEqual([]);
    const without = await deviceWithout(name);
    for (const c of cases) {
      expect(kernelsIn(c, without)).not.toContain(name);
      const wanted = await valuesOf(referenceDevice(), outputsOf(c, referenceDevice()));
      for (const device of [gpu.device, without]) {
        const got = await valuesOf(device, outputsOf(c, device));
        got.forEach((values, k) => expect(firstDifference(values, wanted[k]!, c.tolerance), `${c.name}, output ${k}`).toBeUndefined());
      }
    }
    without.dispose();
  });
});
