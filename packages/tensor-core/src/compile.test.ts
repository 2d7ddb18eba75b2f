import { describe, expect, it, vi } from "vitest";
import type { Backend, Executable } from "./backend.js";
import { compile } from "./compile.js";
import { adamwStep } from "./composites/optimizer.js";
import { Device } from "./device.js";
import * as graph from "./graph.js";
import { Tensor } from "./graph.js";
import { add, exp, mul } from "./ops/elementwise.js";
import { linear, matmul } from "./ops/linear.js";
import { reshape, transpose } from "./ops/movement.js";
import { tensor } from "./ops/create.js";
import type { Tree } from "./transforms/tree.js";
import { createReferenceBackend } from "./reference/backend.js";
import { watch } from "./testing/watch.js";

/** The reference backend, and what has been made and freed on it. */
function watchedDevice(): { device: Device; lowered: Executable[]; disposed: Executable[] } {
  const inner = createReferenceBackend();
  const [lowered, disposed]: [Executable[], Executable[]] = [[], []];
  const backend: Backend = {
    ...inner,
    async lower(plan) {
      const made = await inner.lower(plan);
      const executable: Executable = { ...made, dispose: () => void disposed.push(executable) };
      lowered.push(executable);
      return executable;
    },
  };
  return { device: new Device(backend), lowered, disposed };
}

const values = async (t: Tensor): Promise<number[]> => [...(await t.data())];

describe("compile", () => {
  it("traces once per signature: shapes, dtypes, and the values of what is no tensor", async () => {
    const { device, lowered } = watchedDevice();
    const f = vi.fn((x: Tensor, options: { readonly factor: number }) => mul(x, options.factor));
    const run = compile(f, { device });
    expect(await values(await run(tensor([1, 2]), { factor: 2 }))).toEqual([2, 4]);
    expect(await values(await run(tensor([3, 4]), { factor: 2 }))).toEqual([6, 8]);
    expect(f).toHaveBeenCalledTimes(1);
    expect(await values(await run(tensor([1, 2, 3]), { factor: 2 }))).toEqual([2, 4, 6]);
    expect(await values(await run(tensor([1, 2], { dtype: "bf16" }), { factor: 2 }))).toEqual([2, 4]);
    expect(await values(await run(tensor([1, 2]), { factor: 3 }))).toEqual([3, 6]);
    expect(f).toHaveBeenCalledTimes(4);
    expect(lowered).toHaveLength(4);
  });
  it("tells infinities, NaN, zeros and null apart", async () => {
    const f = vi.fn((x: Tensor, by: number | null) => add(x, by ?? 7));
    const run = compile(f, watchedDevice());
    for (const by of [Infinity, -Infinity, NaN, null, 0]) await run(tensor([1]), by);
    expect(f).toHaveBeenCalledTimes(5);
    expect(await values(await run(tensor([1]), -Infinity))).toEqual([-Infinity]);
    expect(await values(await run(tensor([1]), null))).toEqual([8]);
    expect(f).toHaveBeenCalledTimes(5);
  });
  it("traces once for calls that start together", async () => {
    const f = vi.fn((x: Tensor) => mul(x, x));
    const run = compile(f, watchedDevice());
    const results = await Promise.all([1, 2, 3].map((v) => run(tensor([v]))));
    expect(await Promise.all(results.map((t) => t.item()))).toEqual([1, 4, 9]);
    expect(f).toHaveBeenCalledTimes(1);
  });
  it("replays without building any graph but the handles of its results", async () => {
    const { device } = watchedDevice();
    const w = device.tensor([
      [1, 2],
      [3, 4],
    ]);
    const run = compile((x: Tensor) => ({ y: matmul(x, w), z: mul(matmul(x, w), 2) }), { device });
    const x = device.tensor([[1, 1]]);
    await run(x);
    const before = graph.makeNode("mark", [], {}, []).id;
    const { y, z } = await run(x);
    const after = graph.makeNode("mark", [], {}, []).id;
    expect(after - before - 1).toBe(2);
    expect([...(await values(y)), ...(await values(z))]).toEqual([4, 6, 8, 12]);
  });
  it("dispose frees every plan, and a later call makes a new one", async () => {
    const { device, lowered, disposed } = watchedDevice();
    const f = vi.fn((x: Tensor) => mul(x, 2));
    const run = compile(f, { device });
    await run(tensor([1]));
    await run(tensor([1, 2]));
    run.dispose();
    await Promise.resolve();
    expect(new Set(disposed)).toEqual(new Set(lowered));
    expect(await values(await run(tensor([5])))).toEqual([10]);
    expect(f).toHaveBeenCalledTimes(3);
  });
  it("forgets a trace that failed", async () => {
    const { device, lowered } = watchedDevice();
    let broken = true;
    const run = compile(
      (x: Tensor) => {
        if (broken) throw new Error("not yet");
        return x;
      },
      { device },
    );
    await expect(run(tensor([1]))).rejects.toThrow("not yet");
    broken = false;
    expect(await values(await run(tensor([1])))).toEqual([1]);
    expect(lowered).toHaveLength(1);
  });
});

describe("arguments that a signature cannot hold", () => {
  const x = tensor([1, 2]);
  it.each([
    ["a function", { act: () => 1 }, "signature", /argument 1\.act is a function/],
    ["a symbol", [Symbol("s")], "signature", /argument 1\[0\] is a symbol/],
    ["an instance of a class", { when: new Date() }, "tree", /instance of Date/],
    ["a typed array", new Float32Array(2), "tree", /Float32Array/],
  ])("are refused: %s", async (_, options, kind, message) => {
    const f = compile((t: Tensor, _o: Tree) => t, watchedDevice()) as (t: Tensor, o: unknown) => Promise<Tensor>;
    const error = await f(x, options).catch((e: unknown) => e);
    expect(error).toMatchObject({ name: "ConfigError", kind });
    expect((error as Error).message).toMatch(message);
  });
});

it("a function that fails while it is disposed of fails only its caller", async () => {
  const unhandled = vi.fn();
  process.on("unhandledRejection", unhandled);
  const { device } = watchedDevice();
  const fails = compile(
    (): Tensor => {
      throw new Error("broken");
    },
    { device },
  );
  const failsLater = compile((t: Tensor) => mul(t, 2), {
    device: new Device({ ...device.backend, lower: async () => Promise.reject(new Error("full")) }),
  });
  const calls = [fails(), failsLater(tensor([1]))];
  const outcomes = Promise.allSettled(calls);
  fails.dispose();
  failsLater.dispose();
  expect((await outcomes).map((o) => o.status)).toEqual(["rejected", "rejected"]);
  await new Promise((resolve) => setTimeout(resolve, 5));
  process.off("unhandledRejection", unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});

it("a plan that is disposed of is freed when the calls that wait for it are done", async () => {
  const { device, lowered, disposed } = watchedDevice();
  const run = compile((t: Tensor) => mul(t, 2), { device });
  const pending = [run(add(tensor([1]), 1)), run(tensor([2]))];
  run.dispose();
  expect(await Promise.all((await Promise.all(pending)).map((t) => t.item()))).toEqual([4, 4]);
  await Promise.resolve();
  // Another plan, that of the argument, is kept for further evaluations.
  expect(disposed).toHaveLength(lowered.length - 1);
});

describe("what a compiled function closes over", () => {
  const weight = tensor(
    Float32Array.from({ length: 12 }, (_, i) => i),
    { shape: [3, 4] },
  );
  const x = tensor([[1, 2, 3, 4]]);
  const { device } = watchedDevice();

  it("is read where it lies, transposed or not", async () => {
    const f = compile((t: Tensor) => linear(t, weight), { device });
    expect((await f.prepare(x)).captured.map((t) => t.node)).toEqual([weight.node]);
    expect(await values(await f(x))).toEqual([20, 60, 100]);
  });
  it("is worked on once, when compiling", async () => {
    const scaled = compile((t: Tensor) => add(matmul(t, transpose(exp(weight))), 1), { device });
    const { captured, executable } = await scaled.prepare(x);
    expect(captured.map((t) => t.node.op)).not.toContain("constant");
    expect(executable.kernels.some((k) => k.includes("exp"))).toBe(false);
    // A reshape behind a transpose needs a copy, which is made once.
    const flat = compile((t: Tensor) => add(t, reshape(transpose(weight), [12])), { device });
    expect((await flat.prepare(tensor(new Float32Array(12)))).executable.plan.steps).toHaveLength(1);
  });
  it("is held once, however many views of it are read", async () => {
    const f = compile(
      (x: Tensor) => {
        const table = exp(tensor([1, 2, 3]));
        return [add(x, table), mul(x, reshape(table, [1, 3]))];
      },
      { device },
    );
    expect((await f.prepare(tensor(new Float32Array(12), { shape: [4, 3] }))).captured.map(({ shape }) => shape)).toEqual([[3]]);
  });

  it("goes with the plan, where the trace has made it; what exists outside stays", async () => {
    const memory = watch(createReferenceBackend());
    const own = new Device(memory.backend);
    const [outer, given] = [own.tensor([1, 2]), own.tensor([3, 4])];
    const lazy = exp(outer);
    const f = compile((t: Tensor) => mul(add(mul(t, tensor([5, 6])), add(outer, tensor([7, 8]))), lazy), { device: own });
    const y = await f(given);
    f.dispose();
    // Here a result that is not asked for needs a constant part.
    const state = { p: given, g: given, m: given, lr: tensor(0.1), step: tensor(1) };
    const adam = { beta1: 0.9, beta2: 0.9, eps: 1, weightDecay: 0 };
    const g = compile((t: Tensor) => adamwStep({ ...state, p: t, g: t, v: mul(outer, outer) }, adam).m, { device: own });
    (await g(given)).dispose();
    g.dispose();
    await new Promise((resolve) => setTimeout(resolve, 0));
    // Left are `given`, `outer`, `lazy`, which was computed for the call, and the result.
    expect(memory.live()).toBe(4);
    expect(await values(lazy)).toEqual([Math.fround(Math.E), Math.fround(Math.exp(2))]);
    for (const t of [outer, given, lazy, y]) t.dispose();
    expect(memory.live()).toBe(0);
  });
});
