import { describe, expect, it } from "vitest";
import * as w from "./index.js";

describe("a lazy graph on the reference device", () => {
  it("computes, and extends a computed graph", async () => {
    const a = w.tensor([
      [1, 2],
      [3, 4],
    ]);
    const b = w.add(w.matmul(a, a), 1);
    expect([...(await b.data())]).toEqual([8, 11, 16, 23]);
    expect([...(await w.mul(b, 2).data())]).toEqual([16, 22, 32, 46]);
  });
  it("computes softmax as one fused step", async () => {
    const x = w.tensor([
      [1, 2, 3],
      [0, 0, 0],
    ]);
    expect(w.explain(w.softmax(x))).toContain("1 kernels");
    const y = await w.softmax(x).data();
    expect(y[0]).toBeCloseTo(0.09003057, 6);
    expect(y[3]).toBeCloseTo(1 / 3, 6);
  });
  it("differentiates", async () => {
    const x = w.tensor([
      [1, 2, 3],
      [0.5, 0, -1],
    ]);
    const f = (p: w.Tensor) => w.sum(w.square(w.softmax(p)));
    const g = await w.grad(f)(x).data();
    const e = 1e-3;
    for (let i = 0; i < 6; i++) {
      const at = async (d: number) => {
        const v = Float32Array.from((await x.data()) as Float32Array);
        v[i]! += d;
        return f(w.tensor(v, { shape: [2, 3] })).item();
      };
      expect(g[i]).toBeCloseTo(((await at(e)) - (await at(-e))) / (2 * e), 3);
    }
  });
  it("compiles", async () => {
    const step = w.compile((x: w.Tensor, y: w.Tensor) => ({ s: w.add(x, y), p: w.matmul(x, w.swapLast(y)) }));
    const r = await step(w.tensor([[1, 2]]), w.tensor([[3, 4]]));
    expect([...(await r.s.data())]).toEqual([4, 6]);
    expect([...(await r.p.data())]).toEqual([11]);
  });
});
