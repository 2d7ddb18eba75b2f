import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { expectSame, kernelsOf, openTestDevice, sample as x } from "../../testing/gpu.js";

const close = { relative: 1e-5, absolute: 1e-6 };

describe("globalNorm", () => {
  it("takes a kernel for as many tensors as can be bound, and one more", async () => {
    const norm = (): w.Tensor => w.globalNorm(Array.from({ length: 14 }, (_, i) => x([40, 40], "f32", i + 1)));
    const small = await openTestDevice({ defaultLimits: true });
    expect(await kernelsOf(small, norm())).toEqual(["globalNorm 7", "globalNorm 7", "rows(sum sqrt)"]);
    expect((await kernelsOf(small, norm(), false)).length).toBeGreaterThan(14);
    await expectSame(small.device, norm, close);
    small.device.dispose();
  });
});
