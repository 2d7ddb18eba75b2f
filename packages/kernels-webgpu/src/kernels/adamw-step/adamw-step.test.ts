import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { expectSame, kernelsOf, numbers, openTestDevice, sample as x, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();
const close = { relative: 5e-5, absolute: 2e-6 };
const attrs = { beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.1 };

function step(shape: number[], t: number): w.Tensor[] {
  const [p, g, m] = [1, 2, 3].map((seed) => x(shape, "f32", seed)) as [w.Tensor, w.Tensor, w.Tensor];
  const v = w.tensor(numbers(w.sizeOf(shape), 4).map(Math.abs), { shape });
  return Object.values(w.adamwStep({ p, g, m, v, lr: w.tensor(0.02), step: w.tensor(t) }, attrs));
}

describe("adamwStep", () => {
  it("is one kernel, where the decomposition makes its factors in four and binds more", async () => {
    const total = (): w.Tensor => step([5, 13], 2).reduce((a, b) => w.add(w.sum(a), w.sum(b)), w.tensor(0));
    const [claimed, plain] = [await kernelsOf(gpu, total()), await kernelsOf(gpu, total(), false)];
    expect(claimed.filter((name) => name.startsWith("adamwStep"))).toHaveLength(1);
    expect(plain.length).toBeGreaterThanOrEqual(claimed.length + 3);
  });
  it("takes two where a GPU binds no more than 8 buffers", async () => {
    const small = await openTestDevice({ defaultLimits: true });
    const names = (await kernelsOf(small, step([5, 13], 2)[0]!)).filter((name) => name.startsWith("adamwStep"));
    expect(names).toEqual(["adamwStep factors", "adamwStep"]);
    await expectSame(small.device, () => step([5, 13], 2), close);
    small.device.dispose();
  });
});
