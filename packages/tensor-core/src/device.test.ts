import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import * as w from "./index.js";
import { watch } from "./testing/watch.js";

/** Runs the collector, and what it has to call. */
async function collect(): Promise<void> {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  for (let i = 0; i < 4; i++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    gc();
  }
}

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
    expect(await w.explain(w.softmax(x))).toContain("1 kernels");
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

describe("what nobody disposes of", () => {
  const memory = watch(w.createReferenceBackend());
  const device = new w.Device(memory.backend);
  it("is freed by the collector, though later results were made of it", async () => {
    let x = device.tensor(new Float32Array(1000));
    for (let i = 0; i < 50; i++) {
      x = w.add(x, 1);
      await device.evaluate([x]);
    }
    const step = w.compile((t: w.Tensor) => w.add(t, 1), { device });
    for (let i = 0; i < 50; i++) x = await step(x);
    await collect();
    expect(memory.live()).toBe(1);
    expect((await x.data())[0]).toBe(100);
  });
});

describe("a graph that is built again", () => {
  it("is planned once, whatever the values of its leaves", async () => {
    const inner = w.createReferenceBackend();
    let lowered = 0;
    const device = new w.Device({ ...inner, lower: (plan) => (lowered++, inner.lower(plan)) });
    let x = device.tensor([1, 2]);
    for (let i = 0; i < 4; i++) {
      x = w.add(w.mul(x, 2), 1);
      await device.evaluate([x]);
    }
    expect([...(await x.data())]).toEqual([31, 47]);
    expect(lowered).toBe(1);
    const y = device.tensor([3, 4]);
    for (const t of [w.add(w.mul(y, 2), 2), w.add(w.mul(y, y), 1), w.add(w.mul(w.reshape(y, [1, 2]), 2), 1), w.add(w.mul(x, y), 1)])
      await t.data();
    expect(lowered).toBe(5);
    // Functions that close over something are told apart.
    const scaled = (by: number) => w.checkpoint((t: w.Tensor) => w.mul(t, by));
    expect([...(await scaled(2)(y).data())]).toEqual([6, 8]);
    expect([...(await scaled(3)(y).data())]).toEqual([9, 12]);
  });
  it("is forgotten when many others came", async () => {
    const inner = w.createReferenceBackend();
    const [lowered, disposed]: [number[], number[]] = [[], []];
    const lower = (plan: w.Plan): w.Executable => ({
      ...(inner.lower(plan) as w.Executable),
      dispose: () => void disposed.push(lowered.length),
    });
    const device = new w.Device({ ...inner, lower: (plan) => (lowered.push(0), lower(plan)), run: (e, i, o) => inner.run(e, i, o) });
    const x = device.tensor([1]);
    for (let i = 0; i < 40; i++) expect(await w.add(x, i).item()).toBe(i + 1);
    await Promise.resolve();
    expect([lowered.length, disposed.length]).toEqual([40, 8]);
    expect(await w.add(x, 0).item()).toBe(1);
    expect(lowered).toHaveLength(41);
    // And at once if it needs much scratch, which would stay taken; it has pushed another one out before.
    const large = device.tensor(new Float32Array(2 ** 20 + 64).fill(1));
    await device.evaluate([w.cumsum(w.cumsum(large, 0), 0)]);
    await Promise.resolve();
    expect(lowered.length - disposed.length).toBe(31);
  });
});

describe("an evaluation that fails before it runs", () => {
  it("lets go of its plan", async () => {
    const inner = w.createReferenceBackend();
    let open = 0;
    const lower = (plan: w.Plan): w.Executable => {
      open++;
      return { ...(inner.lower(plan) as w.Executable), dispose: () => void open-- };
    };
    const device = new w.Device(Object.assign(Object.create(inner) as w.Backend, { lower }));
    const x = w.add(device.tensor(new Float32Array(1200 * 1200), { shape: [1200, 1200] }), 1);
    await device.evaluate([x]);
    const before = open;
    x.dispose();
    // Of much scratch: such a plan is not kept for the next evaluation.
    await expect(device.evaluate([w.matmul(w.matmul(x, x), x)])).rejects.toMatchObject({ kind: "disposed" });
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(open).toBe(before);
  });
});

describe("gradients and tensors that were computed before", () => {
  const x = w.tensor([1, 2, 3]);
  it("go through what was only read", async () => {
    const h = w.square(x);
    await h.data();
    const loss = w.sum(w.mul(h, x));
    expect(await loss.item()).toBe(36);
    const [dx] = w.gradients(loss, [x]);
    expect([...(await dx!.data())]).toEqual([3, 12, 27]);
  });
  it("go on from what was evaluated, as from any constant", async () => {
    const h = w.exp(w.tensor([0, 0, 0]));
    await w.evaluate(h);
    const [dx, dh] = w.gradients(w.sum(w.mul(h, x)), [x, h]);
    expect([...(await dx!.data())]).toEqual([1, 1, 1]);
    expect([...(await dh!.data())]).toEqual([1, 2, 3]);
  });
  it("are refused if they lead through one that was evaluated, which has forgotten what it was made of", async () => {
    const loss = w.sum(w.square(x));
    await w.evaluate(loss);
    expect(() => w.gradients(loss, [x])).toThrow(expect.objectContaining({ kind: "computed" }));
    const h = w.mul(x, 2);
    const further = w.add(h, 1);
    await h.data();
    await w.evaluate(further);
    const made = w.sum(w.mul(further, x));
    expect(() => w.gradients(made, [x])).toThrow(expect.objectContaining({ kind: "computed" }));
    expect(() => w.grad((t: w.Tensor) => w.sum(w.mul(further, t)))(x)).toThrow(/was made of/);
    const [dx] = w.gradients(w.sum(w.mul(w.stopGradient(further), x)), [x]);
    expect([...(await dx!.data())]).toEqual([3, 5, 7]);
  });
});

describe("a value that was evaluated", () => {
  const x = w.tensor([
    [1, -2],
    [3, 4.25],
  ]);
  it.each<[name: string, made: (t: w.Tensor) => w.Tensor, used: (t: w.Tensor) => w.Tensor, expected: number[]]>([
    ["a cast is cast back", (t) => w.cast(t, "bf16"), (t) => w.cast(t, "f32"), [1, -2, 3, 4.25]],
    ["a negation is negated", w.neg, w.neg, [1, -2, 3, 4.25]],
    ["a reshape is reshaped", (t) => w.reshape(t, [4]), (t) => w.reshape(t, [2, 2]), [1, -2, 3, 4.25]],
    ["a transpose is transposed", (t) => w.transpose(t), (t) => w.transpose(t), [1, -2, 3, 4.25]],
    ["a broadcast is broadcast", (t) => w.broadcastTo(t, [1, 2, 2]), (t) => w.broadcastTo(t, [1, 1, 2, 2]), [1, -2, 3, 4.25]],
  ])("goes on by itself: %s", async (_, made, used, expected) => {
    const value = made(x);
    await w.evaluate(value);
    expect([...(await used(value).data())]).toEqual(expected);
  });
});

it("indices are looked at in memory that stays the caller's", async () => {
  const device = w.referenceDevice();
  const extremes = device.tensor(Int32Array.of(0, 7));
  const [storage] = device.hold([extremes]);
  const check = { operation: "gather", name: "index", input: 1, least: 0, most: 3 };
  const before = storage!.holders;
  await expect(device.verify([check], storage!)).rejects.toThrow(w.IndexError);
  expect(storage!.holders).toBe(before);
  await device.verify([{ ...check, most: 7 }], storage!);
  storage!.release();
  expect([...(await extremes.data())]).toEqual([0, 7]);
});
