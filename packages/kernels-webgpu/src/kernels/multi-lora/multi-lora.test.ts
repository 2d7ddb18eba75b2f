import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { expectSame, kernelsOf, sample as x, ulp, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();

function call(shape: number[], ranks: number[], index: number[], dtype: w.DType = "f32", columns = 18, out = 21): w.Tensor {
  const bank = w.loraBank(
    ranks.map((r, k) => x([r, columns], dtype, k + 2)),
    ranks.map((r, k) => x([out, r], dtype, k + 40)),
    ranks.map((_, k) => 0.25 * (k + 1)),
  );
  return w.multiLora(x([...shape, columns], dtype), w.tensor(Int32Array.from(index)), bank);
}

describe("multiLora", () => {
  it.each([
    ["decoding", [6], [3, 1, 6, 2], [2, -1, 0, 3, 2, 1]],
    ["prefill", [3, 40], [4, 9], [1, -1, 0]],
    ["short sequences", [2, 3], [5, 2, 7], [2, 0]],
    ["one of many", [2], Array.from({ length: 40 }, (_, k) => 1 + (k % 5)), [39, 7]],
  ] as [string, number[], number[], number[]][])("equals its decomposition: %s", async (_, shape, ranks, index) => {
    await expectSame(gpu.device, () => call(shape, ranks, index), { relative: 1e-5, absolute: 2e-5 });
  });
  it("rounds once", async () => {
    for (const dtype of ["bf16", "f16"] as const)
      await expectSame(gpu.device, () => [call([5], [3, 4], [1, 0, -1, 1, 0], dtype), call([2, 9], [3, 4], [1, 0], dtype)], {
        relative: 4 * ulp(dtype),
        absolute: 8 * ulp(dtype),
      });
  });
  it("is two kernels, the same whatever the number of adapters", async () => {
    const own = async (ranks: number[]): Promise<string[]> =>
      (await kernelsOf(gpu, call([6], ranks, [1, -1, 0, 1, 0, 1]))).filter((k) => k.startsWith("multiLora"));
    expect(await own([3, 6])).toEqual(["multiLora down vector", "multiLora up vector"]);
    expect(await own([3, 1, 6, 2, 4, 4, 2])).toEqual(await own([3, 6]));
  });
  it("exchanges the mixture, scales and adapters without lowering again", async () => {
    const f = w.compile(
      (v: w.Tensor, index: w.Tensor, bank: { a: w.Tensor; b: w.Tensor; scales: w.Tensor; starts: w.Tensor }) =>
        w.multiLora(v, index, { ...bank, rank: 4 }),
      { device: gpu.device },
    );
    const v = x([2, 8]);
    const index = (...picks: number[]): w.Tensor => w.tensor(Int32Array.from(picks));
    const bank = (starts: number[], seed: number) => ({
      a: x([6, 8], "f32", seed),
      b: x([6, 5], "f32", seed + 1),
      scales: x([2], "f32", seed + 2),
      starts: index(...starts),
    });
    const plan = await f.prepare(v, index(0, 1), bank([0, 2, 6], 1));
    for (const [picks, starts, seed] of [
      [[0, 1], [0, 2, 6], 1],
      [[1, 1], [0, 2, 6], 1],
      [[1, -1], [0, 3, 6], 5],
    ] as const) {
      const wanted = await w.multiLora(v, index(...picks), { ...bank([...starts], seed), rank: 4 }).data();
      const got = await (await f(v, index(...picks), bank([...starts], seed))).data();
      wanted.forEach((value, i) => expect(got[i]).toBeCloseTo(value, 5));
    }
    expect(await f.prepare(v, index(0, 1), bank([0, 2, 6], 1))).toBe(plan);
  });
});
