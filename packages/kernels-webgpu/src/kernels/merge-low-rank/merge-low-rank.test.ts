import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { kernelsOf, sample as x, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();

describe("mergeLowRank", () => {
  it.each([
    [33, 40, 4],
    [5, 70, 1],
    [65, 9, 16],
    [3, 4, 2],
  ])("adds a rank update to [%i, %i] (rank %i) in one kernel", async (n, k, r) => {
    expect(await kernelsOf(gpu, w.mergeLowRank(x([n, k]), x([r, k]), x([n, r]), { scale: 0.25 }))).toHaveLength(1);
  });
});
