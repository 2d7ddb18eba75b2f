import * as w from "@weft/tensor-core";
import { describe, expect, it, vi } from "vitest";
import { KERNELS } from "./kernels/index.js";
import type { WebGpuExecutable } from "./runtime/executable.js";
import { sizeClass } from "./runtime/buffers.js";
import { expectSame, kernelsOf, numbers, openTestDevice, sample, useTestDevice } from "./testing/gpu.js";

const gpu = useTestDevice();

/** A step that needs scratch: two products with something between them. */
function chain(v: w.Tensor): w.Tensor {
  return w.matmul(w.exp(w.matmul(v, v)), w.softmax(v));
}

describe("memory", () => {
  it("copies any range of bytes in and out, and leaves the others alone", async () => {
    const { backend } = gpu;
    for (const [offset, length] of [
      [0, 13],
      [1, 1],
      [1, 2],
      [3, 5],
      [2, 9],
      [4, 3],
      [0, 1],
      [12, 1],
    ] as const) {
      const buffer = backend.allocate(13);
      backend.upload(buffer, new Uint8Array(13).fill(200));
      const data = Uint8Array.from({ length }, (_, i) => i + 1);
      backend.upload(buffer, data, offset);
      const expected = new Uint8Array(13).fill(200);
      expected.set(data, offset);
      expect([...(await backend.download(buffer, 0, 13))]).toEqual([...expected]);
      expect([...(await backend.download(buffer, offset, length))]).toEqual([...data]);
      backend.free(buffer);
    }
  });
  it("refuses ranges outside a buffer and buffers that were freed", async () => {
    const buffer = gpu.backend.allocate(8);
    expect(() => gpu.backend.upload(buffer, new Uint8Array(8), 1)).toThrow(w.DeviceError);
    await expect(gpu.backend.download(buffer, 4, 5)).rejects.toThrow(w.DeviceError);
    gpu.backend.free(buffer);
    expect(() => gpu.backend.upload(buffer, new Uint8Array(4))).toThrow("after it was freed");
  });
  it("lends a freed buffer again instead of making a new one", () => {
    const first = gpu.backend.allocate(5000);
    gpu.backend.free(first);
    const before = gpu.backend.statistics().totalBytes;
    const second = gpu.backend.allocate(6000);
    expect(gpu.backend.statistics().totalBytes).toBe(before);
    gpu.backend.free(second);
  });
  it("wastes at most half of a small buffer and an eighth of a large one", () => {
    for (const bytes of [1, 300, 5000, 2 ** 20, 2 ** 20 + 1, 3e6, 1.1e9]) {
      expect(sizeClass(bytes)).toBeGreaterThanOrEqual(bytes);
      expect(sizeClass(bytes)).toBeLessThanOrEqual(Math.max(256, bytes <= 2 ** 20 ? 2 * bytes : 1.125 * bytes));
    }
  });
  it("allocates for scratch exactly what the plan says, once for all plans", async () => {
    const { device, backend } = await openTestDevice();
    const large = device.tensor(numbers(48 * 48), { shape: [48, 48] });
    const plans = [chain(large), chain(device.tensor(numbers(400), { shape: [20, 20] }))].map((t) => w.planGraph([t], [], () => false));
    expect(plans[0]!.plan.scratchBytes).toBeGreaterThan(plans[1]!.plan.scratchBytes);
    for (const { plan, leaves } of plans) {
      const executable = (await backend.lower(plan)) as WebGpuExecutable;
      expect(executable.arenaBytes).toBe(plan.scratchBytes);
      await device.execute(executable, leaves);
      expect(backend.statistics().arenaBytes).toBe(plans[0]!.plan.scratchBytes);
    }
    device.dispose();
  });
  it("stops at the budget, with sizes in the message, after giving idle memory back", async () => {
    const { backend } = await openTestDevice({ memoryBudget: 3 * 2 ** 20 });
    const [a, b] = [backend.allocate(2 ** 20), backend.allocate(2 ** 20)];
    expect(() => backend.allocate(2 ** 21)).toThrow(/2097152 bytes .* do not fit/);
    backend.free(a);
    backend.free(b);
    expect(backend.allocate(2 ** 21).bytes).toBe(2 ** 21);
    backend.dispose();
  });
  it("names the limit when one buffer is too large", () => {
    const limit = gpu.backend.device.limits.maxBufferSize;
    expect(() => gpu.backend.allocate(limit + 4)).toThrow(`larger than this GPU allows (${limit})`);
  });
});

describe("runs", () => {
  it("submits once per run, and makes nothing again for the same buffers", async () => {
    const { device, backend } = gpu;
    const executable = await backend.lower(w.planGraph([chain(device.tensor(numbers(400), { shape: [20, 20] }))], [], () => false).plan);
    expect(executable.kernels.length).toBeGreaterThan(2);
    const [input, output] = [backend.allocate(1600), backend.allocate(1600)];
    await backend.run(executable, [input], [output]);
    const submit = vi.spyOn(backend.device.queue, "submit");
    const [group, pipeline] = [vi.spyOn(backend.device, "createBindGroup"), vi.spyOn(backend.device, "createComputePipelineAsync")];
    await backend.run(executable, [input], [output]);
    expect([submit.mock.calls.length, group.mock.calls.length, pipeline.mock.calls.length]).toEqual([1, 0, 0]);
    vi.restoreAllMocks();
    executable.dispose();
  });
  it("shares shaders between shapes", async () => {
    await expectSame(gpu.device, () => w.mul(w.matmul(sample([20, 30]), sample([30, 40])), 2), { absolute: 1e-5 });
    const before = gpu.backend.statistics().pipelines;
    await expectSame(gpu.device, () => w.mul(w.matmul(sample([33, 17]), sample([17, 21])), 3), { absolute: 1e-5 });
    expect(gpu.backend.statistics().pipelines).toBe(before);
  });
  it("takes one tensor twice and returns an argument", async () => {
    const f = w.compile((a: w.Tensor, b: w.Tensor) => ({ sum: w.add(a, b), same: a, twice: w.add(a, b) }), { device: gpu.device });
    const v = gpu.device.tensor([1, 2, 3]);
    const result = await f(v, v);
    expect([...(await result.sum.data()), ...(await result.same.data()), ...(await result.twice.data())]).toEqual([
      2, 4, 6, 1, 2, 3, 2, 4, 6,
    ]);
  });
  it("replays a compiled training step", async () => {
    const step = w.compile(
      (p: w.Tensor, x: w.Tensor) => {
        const { value, grads } = w.valueAndGrad((q: w.Tensor) => w.mean(w.square(w.sub(w.matmul(x, q), 1))))(p);
        return { loss: value, next: w.sub(p, w.mul(grads, 0.1)) };
      },
      { device: gpu.device },
    );
    let p = gpu.device.tensor(numbers(12, 3), { shape: [4, 3] });
    const losses: number[] = [];
    for (let i = 0; i < 5; i++) {
      const { loss, next } = await step(p, sample([9, 4]));
      losses.push(await loss.item());
      p = next;
    }
    for (let i = 1; i < losses.length; i++) expect(losses[i]).toBeLessThan(losses[i - 1]!);
  });
  it("folds more workgroups than one dimension allows", async () => {
    const { device, backend } = await openTestDevice();
    Object.assign(backend.limits, { maxGroups: 5 });
    await expectSame(
      device,
      () => [w.add(sample([999]), 1), w.sum(sample([11, 50]), { axes: [1] }), w.matmul(sample([70, 5]), sample([5, 90]))],
      { absolute: 1e-5 },
    );
    device.dispose();
  });
  it("runs the empty and the very small", async () => {
    await expectSame(gpu.device, () => [
      w.add(sample([0, 3]), 1),
      w.matmul(sample([3, 0]), sample([0, 2])),
      w.concat([sample([0, 2]), sample([1, 2])]),
      w.exp(w.tensor(1)),
    ]);
  });
});

describe("faults", () => {
  it("says that the device was lost, at the next call", async () => {
    const { backend } = await openTestDevice();
    const buffer = backend.allocate(16);
    backend.device.destroy();
    await backend.device.lost;
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(() => backend.allocate(16)).toThrow(expect.objectContaining({ kind: "device-lost" }));
    await expect(backend.download(buffer, 0, 16)).rejects.toMatchObject({ code: "device", kind: "device-lost" });
  });
  it("reports what the GPU rejects before handing out results", async () => {
    const { backend } = await openTestDevice();
    const executable = await backend.lower(w.planGraph([w.add(sample([4]), 1)], [], () => false).plan);
    const [input, output] = [backend.allocate(16), backend.allocate(16)];
    // The same buffer as input and output breaks the rules of WebGPU.
    await backend.run(executable, [input], [{ ...input }]);
    await expect(backend.download(output, 0, 16)).rejects.toMatchObject({ code: "device", kind: "gpu-validation" });
    backend.dispose();
  });
  it("refuses work after dispose", async () => {
    const { backend } = await openTestDevice();
    backend.dispose();
    expect(() => backend.allocate(4)).toThrow("after dispose");
  });
  it("names the kernel and the compiler's message if a shader is wrong", async () => {
    const kernels = {
      ops: {
        matmul: () => [
          { name: "broken", source: "fn main() { oops }", params: new Uint8Array(16), bindings: [], groups: [1, 1, 1] as const },
        ],
      },
      composites: {},
    };
    const { device } = await openTestDevice({ kernels });
    await expect(w.matmul(device.tensor([[1]]), device.tensor([[1]])).data()).rejects.toMatchObject({
      kind: "shader",
      message: expect.stringContaining("broken"),
    });
    device.dispose();
  });
  it("says which primitive has no kernel", async () => {
    const { device } = await openTestDevice({ kernels: { ops: {}, composites: {} } });
    await expect(w.cumsum(device.tensor([1, 2])).data()).rejects.toMatchObject({
      kind: "no-kernel",
      message: expect.stringContaining("scan"),
    });
    device.dispose();
  });
  it("finds no kernel missing for a primitive of plans", () => {
    expect(
      Object.values(w.PRIMITIVES)
        .filter((p) => p.reference && !p.pointwise)
        .map((p) => p.name)
        .toSorted(),
    ).toEqual(Object.keys(KERNELS.ops).toSorted());
  });
});

describe("explain", () => {
  it("names the kernels of a plan", async () => {
    const v = gpu.device.tensor(numbers(400), { shape: [20, 20] });
    expect(await kernelsOf(gpu, w.matmul(v, v))).toEqual(["matmul 32x32"]);
    expect(await kernelsOf(gpu, w.softmax(v))).toEqual(["rows(max sub exp sum div)"]);
  });
});

describe("sort", () => {
  it("makes log₂(n)·(log₂(n) + 1)/2 passes over its lines", async () => {
    const kernels = await kernelsOf(gpu, w.argsort(sample([2, 300])));
    // Filled up to 512.
    expect(kernels.filter((name) => name === "argsort exchange").length).toBe(45);
  });
});
