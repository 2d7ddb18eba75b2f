import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { expectSame, kernelsOf, sample as x, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();
const call = (batch: number, length: number, channels: number, states: number): w.Tensor[] => {
  const perStep = (n: number, seed: number): w.Tensor => x([batch, length, n], "f32", seed);
  const inputs = { x: perStep(channels, 1), delta: w.mul(w.exp(perStep(channels, 2)), 0.1), b: perStep(states, 3), c: perStep(states, 4) };
  const a = w.neg(w.exp(x([channels, states], "f32", 5)));
  const { y, state } = w.selectiveScan({ ...inputs, a, d: x([channels], "f32", 6), start: x([batch, channels, states], "f32", 7) });
  return [y, state];
};

describe("selectiveScan", () => {
  it.each([
    [1, 1, 3, 1],
    [2, 9, 70, 16],
    [1, 3, 5, 33],
  ])("of [%i, %i, %i] with %i states in one kernel", async (...sizes) => {
    await expectSame(gpu.device, () => call(...sizes), { relative: 1e-5, absolute: 1e-5 });
    expect((await kernelsOf(gpu, call(...sizes)[0]!)).filter((k) => k.startsWith("selectiveScan"))).toHaveLength(1);
  });
  it("of more states than a thread keeps runs as its decomposition", async () => {
    expect((await kernelsOf(gpu, call(1, 2, 3, 65)[0]!)).filter((k) => k.startsWith("selectiveScan"))).toEqual([]);
  });
});
