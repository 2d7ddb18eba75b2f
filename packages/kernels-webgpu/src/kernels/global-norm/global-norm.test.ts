import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { expectSame, kernelsOf, openTestDevice, sample as x, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();
const close = { relative: 1e-5, absolute: 1e-6 };

describe("globalNorm", () => {
  it.each([
    { shapes: [[3]] },
    { shapes: [[1], [2, 5]] },
    { shapes: [[7, 9], [0, 4], [300, 40], []] },
    { shapes: Array.from({ length: 30 }, (_, i) => [i, 3]) },
  ])("equals its decomposition: $shapes", async ({ shapes }) => {
    await expectSame(gpu.device, () => w.globalNorm(shapes.map((s, i) => x(s, "f32", i + 1))), close);
  });
  it("takes mixed dtypes, and the same tensor twice", async () => {
    await expectSame(
      gpu.device,
      () => {
        const t = x([33], "bf16");
        return w.globalNorm([t, x([5, 7], "f16", 2), t, x([3], "f32", 3)]);
      },
      close,
    );
  });
  it("clips with torch's factor, and leaves small gradients as they are", async () => {
    const clipped = (maxNorm: number): w.Tensor[] => {
      const { tensors, norm } = w.clipByGlobalNorm([x([5, 9]), x([300], "f32", 2), x([3], "bf16", 3)], maxNorm);
      return [...tensors, norm];
    };
    await expectSame(gpu.device, () => [...clipped(0.5), ...clipped(1e4)], close);
  });
  it("takes a kernel for as many tensors as can be bound, and one more", async () => {
    const norm = (): w.Tensor => w.globalNorm(Array.from({ length: 14 }, (_, i) => x([40, 40], "f32", i + 1)));
    const small = await openTestDevice({ defaultLimits: true });
    expect(await kernelsOf(small, norm())).toEqual(["globalNorm 7", "globalNorm 7", "rows(sum sqrt)"]);
    expect((await kernelsOf(small, norm(), false)).length).toBeGreaterThan(14);
    await expectSame(small.device, norm, close);
    small.device.dispose();
  });
});
