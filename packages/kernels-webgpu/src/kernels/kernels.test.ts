import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { expectSame, kernelsOf, sample as x, useTestDevice } from "../testing/gpu.js";
import { KERNELS } from "./index.js";

const without = useTestDevice({ kernels: { ...KERNELS, composites: {} } });
const withKernels = useTestDevice();

describe("the table of kernels", () => {
  it("has only optimisations under composites: without its row each runs as its decomposition, with the same result", async () => {
    const calls: Record<string, () => w.Tensor> = {
      blockRotate: () => w.blockRotate(x([5, 6]), x([2, 3, 3])),
      cayley: () => w.cayley(w.mul(w.sub(x([2, 5, 5]), w.swapLast(x([2, 5, 5]))), 0.3)),
      inverse: () =>
        w.inverse(
          w.add(
            w.mul(x([1, 3, 3]), 0.1),
            w.tensor([
              [1, 0, 0],
              [0, 1, 0],
              [0, 0, 1],
            ]),
          ),
        ),
      multiLora: () =>
        w.multiLora(x([3, 8]), w.tensor(Int32Array.of(1, -1, 0)), w.loraBank([x([2, 8]), x([3, 8])], [x([6, 2]), x([6, 3])], [1, 2])),
      weightNorm: () => w.weightNorm(x([5, 8]), x([2, 8]), x([5, 2]), 0.5),
      attention: () => w.attention(x([1, 2, 5, 8]), x([1, 1, 7, 8]), x([1, 1, 7, 8])),
      loraLinear: () => w.loraLinear(x([5, 8]), x([6, 8]), x([2, 8]), x([6, 2]), 0.5),
      mergeLowRank: () => w.mergeLowRank(x([6, 8]), x([2, 8]), x([6, 2]), { scale: 0.5 }),
    };
    expect(Object.keys(calls).sort()).toEqual(Object.keys(KERNELS.composites).sort());
    for (const [name, call] of Object.entries(calls)) {
      expect((await kernelsOf(withKernels, call())).some((k) => k.startsWith(name))).toBe(true);
      expect((await kernelsOf(without, call())).some((k) => k.startsWith(name))).toBe(false);
      await expectSame(without.device, call, { relative: 1e-5, absolute: 1e-5 });
      await expectSame(withKernels.device, call, { relative: 1e-5, absolute: 1e-5 });
    }
  });
});
