import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { expectSame, kernelsOf, sample as x, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();
const call = (batch: number, length: number, width: number): w.Tensor[] => {
  const state = (seed: number): w.Tensor => x([batch, width], "f32", seed);
  const start = { numerator: state(5), denominator: w.exp(state(6)), exponent: state(7) };
  const decay = w.neg(w.exp(x([width], "f32", 1)));
  const after = w.wkv(decay, x([width], "f32", 2), x([batch, length, width], "f32", 3), x([batch, length, width], "f32", 4), start);
  return [after.y, ...Object.values(after.state)];
};

describe("wkv", () => {
  it.each([
    [1, 1, 3],
    [3, 7, 70],
  ])("of [%i, %i, %i] in a pass for the results and one for the state", async (batch, length, width) => {
    await expectSame(gpu.device, () => call(batch, length, width), { relative: 1e-5, absolute: 1e-6 });
    expect((await kernelsOf(gpu, call(batch, length, width)[0]!)).filter((k) => k.startsWith("wkv"))).toEqual(["wkv", "wkv state"]);
  });
});
