import {
  adamwStep,
  attention,
  compile,
  conv,
  cumsum,
  Device,
  embedding,
  linear,
  loraLinear,
  mean,
  mul,
  reshape,
  rmsNorm,
  type Tensor,
  topK,
  transpose,
  type Tree,
  flattenTree,
  update,
  valueAndGrad,
} from "@weft/tensor-core";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { WasmBackend, type WasmBackendOptions } from "./backend.js";
import type { WasmBuffer } from "./memory.js";

const MIB = 2 ** 20;
const opened: Device[] = [];
const open = (options: WasmBackendOptions): Device => {
  const device = new Device(new WasmBackend({ threads: 1, ...options }));
  opened.push(device);
  return device;
};
/** A graph's weights take several of these. */
const SMALL = { maxBytesPerMemory: 4 * MIB };
afterEach(() => opened.splice(0).forEach((device) => device.dispose()));

const backendOf = (device: Device): WasmBackend => device.backend as WasmBackend;
/** Uploads the constants of a graph one by one, each second one into the next of three memories, which have room for more afterwards. */
function scatter(device: Device, { weights, args }: Graph): void {
  const backend = backendOf(device);
  const filled: WasmBuffer[] = [];
  [...weights, ...flattenTree(args).leaves].forEach((t, i) => {
    const { memory } = device.bufferOf(t) as WasmBuffer;
    if (i % 2 === 1 && new Set(filled.map((b) => b.memory)).size < 2)
      for (let size = MIB; size >= 64; size /= 2)
        for (let b = memory.tryAllocate(size, memory.limit); b; b = memory.tryAllocate(size, memory.limit)) filled.push(b);
  });
  filled.forEach((buffer) => backend.free(buffer));
}
const memoriesOf = (device: Device, ...tensors: Tensor[]): number =>
  new Set(tensors.map((t) => (device.bufferOf(t) as WasmBuffer).memory)).size;

/** Numbers between -1 and 1, made faster than by `sample`. */
function random(device: Device, shape: readonly number[], dtype: "f32" | "bf16" = "f32", seed = 1): Tensor {
  const values = new Float32Array(shape.reduce((a, b) => a * b));
  let state = seed * 2654435761;
  for (let i = 0; i < values.length; i++) values[i] = (state = (Math.imul(state, 1664525) + 1013904223) | 0) / 2 ** 31;
  if (dtype === "f32") return device.fromBytes(new Uint8Array(values.buffer), shape, dtype);
  const upper = Uint16Array.from(new Uint32Array(values.buffer), (bits) => bits >>> 16);
  return device.fromBytes(new Uint8Array(upper.buffer), shape, dtype);
}

interface Graph {
  readonly args: readonly Tree[];
  readonly weights: readonly Tensor[];
  readonly fn: (...args: never[]) => Tree;
}

const GRAPHS: Readonly<Record<string, (device: Device) => Graph>> = {
  "a chain of linears": (device) => {
    const weights = Array.from({ length: 6 }, (_, i) => random(device, [500, 500], "f32", i));
    return { args: [random(device, [9, 500])], weights, fn: (x: Tensor) => weights.reduce((h, w) => mul(linear(h, w), 0.05), x) };
  },
  "LoRA over bf16": (device) => {
    const weights = Array.from({ length: 6 }, (_, i) => random(device, [150, 150], "bf16", i));
    const [a, b] = [random(device, [8, 150]), random(device, [150, 8])];
    return {
      args: [random(device, [3, 150])],
      weights,
      fn: (x: Tensor) => weights.reduce((h, w) => mul(loraLinear(h, w, a, b, 0.1), 0.03), x),
    };
  },
  "attention over an embedding": (device) => {
    const [tokens, width, heads] = [20, 64, 4];
    const weights = [
      random(device, [600, width]),
      ...[1, 2, 3, 4].map((i) => random(device, [width, width], "f32", i)),
      random(device, [width]),
    ];
    const [table, wq, wk, wv, wo, norm] = weights as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
    const split = (x: Tensor): Tensor => transpose(reshape(x, [1, tokens, heads, width / heads]), [0, 2, 1, 3]);
    const fn = (ids: Tensor): Tree => {
      const h = rmsNorm(embedding(table, ids), norm, 1e-6);
      const y = attention(split(linear(h, wq)), split(linear(h, wk)), split(linear(h, wv)), { causal: true });
      const out = linear(reshape(transpose(y, [0, 2, 1, 3]), [tokens, width]), wo);
      return { out, best: topK(out, 3) };
    };
    return {
      args: [
        device.tensor(
          Array.from({ length: tokens }, (_, i) => (i * 131) % 600),
          { dtype: "i32" },
        ),
      ],
      weights,
      fn,
    };
  },
  "a training step": (device) => {
    const weights = Array.from({ length: 3 }, (_, i) => random(device, [90, 90], "f32", i));
    const p = [random(device, [90, 90], "f32", 20), random(device, [90, 90], "f32", 21)];
    const zeros = p.map(() => device.tensor(new Float32Array(8_100), { shape: [90, 90] }));
    const loss = (q: Tensor[], x: Tensor): Tensor => {
      const h = [weights[0]!, q[0]!, weights[1]!, q[1]!, weights[2]!].reduce((y, w) => mul(linear(y, w), 0.04), x);
      return mean(mul(h, h));
    };
    const fn = (q: Tensor[], m: Tensor[], v: Tensor[], x: Tensor): Tree => {
      const { value, grads } = valueAndGrad(loss)(q, x);
      const at = { lr: device.tensor(0.01), step: device.tensor(1) };
      const attrs = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01 };
      return { value, next: q.map((t, i) => adamwStep({ p: t, g: grads[i]!, m: m[i]!, v: v[i]!, ...at }, attrs)) };
    };
    return { args: [p, zeros, zeros, random(device, [30, 90])], weights, fn };
  },
  "convolution, a scan without a kernel, and a cache that is written to": (device) => {
    const cache = random(device, [60, 90], "bf16", 3);
    const filters = random(device, [20, 10, 3, 3], "f32", 5);
    const fn = (x: Tensor, row: Tensor, at: Tensor): Tree => ({
      y: conv(x, filters, { padding: 1 }),
      sums: cumsum(row, 1),
      cache: update(cache, row, at, [0]),
      part: mul(cache, 2),
    });
    return {
      args: [random(device, [1, 10, 9, 9]), random(device, [2, 90], "bf16"), device.tensor(5, { dtype: "i32" })],
      weights: [cache, filters],
      fn,
    };
  },
};

/** The bytes of what two runs return. */
const results = async (device: Device, { args, fn }: Graph): Promise<readonly Buffer[]> => {
  const compiled = compile(fn as (...args: readonly Tree[]) => Tree, { device });
  const runs = [await compiled(...args), await compiled(...args)].map((tree) => flattenTree(tree).leaves);
  const values: Buffer[] = [];
  for (const t of runs.flat()) values.push(Buffer.from(await device.bytes(t)));
  compiled.dispose();
  return values;
};

describe.each([1, 2])("graphs over several memories, on %i threads", (threads) => {
  it.each(Object.keys(GRAPHS))("%s: the bits of one memory", async (name) => {
    const one = open({ threads });
    const expected = await results(one, GRAPHS[name]!(one));
    const many = open({ threads, ...SMALL });
    const graph = GRAPHS[name]!(many);
    scatter(many, graph);
    expect(memoriesOf(many, ...graph.weights, ...flattenTree(graph.args).leaves)).toBeGreaterThan(2);
    const got = await results(many, graph);
    expect(got.map((bytes, i) => bytes.equals(expected[i]!))).toEqual(expected.map(() => true));
  });

  it("calls that run at the same time, over memories that fill up meanwhile", async () => {
    const device = open({ threads, ...SMALL });
    const { weights, fn } = GRAPHS["a chain of linears"]!(device);
    const step = compile(fn as (x: Tensor) => Tensor, { device });
    const inputs = Array.from({ length: 6 }, (_, i) => random(device, [9, 500], "f32", 40 + i));
    const alone: Buffer[] = [];
    for (const x of inputs) alone.push(Buffer.from(await device.bytes(await step(x))));
    memoriesOf(device, ...weights);
    const ballast = Array.from({ length: 5 }, () => device.backend.allocate(MIB));
    const together = await Promise.all(inputs.map(async (x) => Buffer.from(await device.bytes(await step(x)))));
    ballast.forEach((buffer) => device.backend.free(buffer));
    expect(together.every((bytes, i) => bytes.equals(alone[i]!))).toBe(true);
  });
});

describe("buffers", () => {
  it("lie in a further memory when one is full, and where there is room again when others were freed", () => {
    const backend = backendOf(open(SMALL));
    const made = Array.from({ length: 8 }, () => backend.allocate(MIB));
    const memories = [...new Set(made.map((b) => b.memory))];
    expect(memories.length).toBe(3);
    expect(memories.every((m) => m.limit === 4 * MIB)).toBe(true);
    made.forEach((buffer, i) => backend.upload(buffer, new Uint8Array(MIB).fill(i + 1)));
    expect(made.every((buffer, i) => backend.view(buffer).every((v) => v === i + 1))).toBe(true);
    const first = made.filter((b) => b.memory === memories[0]);
    first.forEach((b) => backend.free(b));
    expect(backend.allocate(MIB).memory).toBe(memories[0]);
  });

  it("stop at the limit of all together with a typed error, and go on when something was freed", () => {
    const backend = backendOf(open({ maxBytesPerMemory: 4 * MIB, maxMemoryBytes: 10 * MIB }));
    const made: WasmBuffer[] = [];
    const fill = (): void => {
      for (;;) made.push(backend.allocate(MIB));
    };
    expect(fill).toThrow(expect.objectContaining({ kind: "out-of-memory" }));
    expect(made.length).toBe(3 + 3 + 1);
    expect(new Set(made.map((b) => b.memory.limit))).toEqual(new Set([4 * MIB, 2 * MIB]));
    backend.free(made[4]!);
    expect(backend.allocate(MIB).memory).toBe(made[5]!.memory);
    expect(() => backend.allocate(5 * MIB)).toThrow(/5242880 bytes more do not fit/);
  });

  it("find what is not finite in the memory where they lie", async () => {
    const backend = backendOf(open(SMALL));
    const values = Float32Array.from({ length: 2 ** 18 }, (_, i) => (i === 200_000 ? NaN : i));
    const made = Array.from({ length: 5 }, () => backend.allocate(MIB));
    backend.upload(made[4]!, new Uint8Array(values.buffer));
    expect(made[4]!.memory).not.toBe(made[0]!.memory);
    expect(await backend.firstNonFinite(made[4]!, "f32", values.length)).toBe(200_000);
  });
});

describe("plans over several memories", () => {
  it("give everything back, in every memory", async () => {
    const device = open(SMALL);
    const before = backendOf(device).statistics();
    const graph = GRAPHS["a training step"]!(device);
    scatter(device, graph);
    const leaves = [...graph.weights, ...flattenTree(graph.args).leaves];
    const compiled = compile(graph.fn as (...args: readonly Tree[]) => Tree, { device });
    const out = await compiled(...graph.args);
    expect(backendOf(device).statistics().planBytes).toBeGreaterThan(0);
    compiled.dispose();
    for (const t of [...leaves, ...flattenTree(out).leaves]) t.dispose();
    await new Promise((resolve) => setTimeout(resolve, 0));
    const after = backendOf(device).statistics();
    expect([after.planBytes, after.arenaBytes]).toEqual([0, 0]);
    expect(after.usedBytes - before.usedBytes).toBe(0);
  });

  it("copy weights when the memory where they lie has no room for anything else", async () => {
    const device = open(SMALL);
    const { weights, fn, args } = GRAPHS["a chain of linears"]!(device);
    memoriesOf(device, ...weights);
    const x = args[0] as Tensor;
    const step = compile(fn as (x: Tensor) => Tensor, { device });
    const expected = Buffer.from(await device.bytes(await step(x)));
    step.dispose();
    await new Promise((resolve) => setTimeout(resolve, 0));
    const { memory } = device.bufferOf(weights[0]!) as WasmBuffer;
    for (let size = MIB; size >= 64; size /= 2) while (memory.tryAllocate(size, memory.limit));
    const again = compile(fn as (x: Tensor) => Tensor, { device });
    expect(Buffer.from(await device.bytes(await again(x))).equals(expected)).toBe(true);
  });
});

describe("without shared memory, as in a page that is not isolated", () => {
  afterAll(() => vi.restoreAllMocks());
  it.each(["a chain of linears", "a training step"])("%s: the bits of shared memory", async (name) => {
    const one = open({});
    const expected = await results(one, GRAPHS[name]!(one));
    vi.spyOn(process, "getBuiltinModule").mockReturnValue(undefined as never);
    const many = open(SMALL);
    vi.restoreAllMocks();
    const graph = GRAPHS[name]!(many);
    scatter(many, graph);
    expect((many.bufferOf(graph.weights[0]!) as WasmBuffer).memory.shared).toBe(false);
    const got = await results(many, graph);
    expect(got.map((bytes, i) => bytes.equals(expected[i]!))).toEqual(expected.map(() => true));
  });
});
