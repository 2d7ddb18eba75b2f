import * as w from "@weft/tensor-core";
import { describe, expect, it, onTestFinished } from "vitest";
import { createWebGpuBackend } from "../backend.js";
import { numbers, openTestDevice, useTestDevice } from "../testing/gpu.js";
import { failAllocation, type Injected, loseDevice } from "../testing/inject.js";
import { withRecovery } from "./recovery.js";

const STEPS = 5;
const SHAPES = { a: [2, 6], b: [3, 2] } as const;
const NAMES = ["a", "b"] as const;
type State = Readonly<Record<(typeof NAMES)[number], { readonly p: w.Tensor; readonly m: w.Tensor; readonly v: w.Tensor }>>;
type HostState = Readonly<Record<(typeof NAMES)[number], Readonly<Record<"p" | "m" | "v", Float32Array>>>>;

const initial = (): HostState => {
  const of = (name: "a" | "b", seed: number) => {
    const p = numbers(w.sizeOf(SHAPES[name]), seed);
    return { p, m: new Float32Array(p.length), v: new Float32Array(p.length) };
  };
  return { a: of("a", 3), b: of("b", 4) };
};

/** A loop over compiled steps of AdamW on the factors of a LoRA layer, which keeps a copy of its state on the host after each step. */
async function train(open: () => Promise<w.Device>, onLoss = (): void => undefined): Promise<number[]> {
  const losses: number[] = [];
  let host = initial();
  return withRecovery(
    open,
    async (device) => {
      const [weight, x, y] = [
        device.tensor(numbers(18, 1), { shape: [3, 6] }),
        device.tensor(numbers(24, 2), { shape: [4, 6] }),
        device.tensor(numbers(12, 5), { shape: [4, 3] }),
      ];
      const step = w.compile(
        (state: State, t: w.Tensor) => {
          const loss = (p: { a: w.Tensor; b: w.Tensor }): w.Tensor => w.mean(w.square(w.sub(w.loraLinear(x, weight, p.a, p.b, 0.5), y)));
          const { value, grads } = w.valueAndGrad(loss)({ a: state.a.p, b: state.b.p });
          const attrs = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01 };
          const update = (name: "a" | "b") => w.adamwStep({ ...state[name], g: grads[name], lr: w.full([], 0.05), step: t }, attrs);
          return { value, state: { a: update("a"), b: update("b") } };
        },
        { device },
      );
      const upload = (name: "a" | "b", part: "p" | "m" | "v"): w.Tensor => device.tensor(host[name][part], { shape: SHAPES[name] });
      let state: State = {
        a: { p: upload("a", "p"), m: upload("a", "m"), v: upload("a", "v") },
        b: { p: upload("b", "p"), m: upload("b", "m"), v: upload("b", "v") },
      };
      // No buffer comes back by garbage collection, so that every run allocates as many.
      const held: unknown[] = [];
      while (losses.length < STEPS) {
        const t = device.tensor(losses.length + 1);
        const next = await step(state, t);
        held.push(t, state, next);
        const [loss, copy] = [await next.value.item(), { a: await download(next.state.a), b: await download(next.state.b) }];
        losses.push(loss);
        host = copy;
        state = next.state;
      }
      return losses;
    },
    { onLoss },
  );
}

async function download({ p, m, v }: State["a"]): Promise<HostState["a"]> {
  const values = async (t: w.Tensor): Promise<Float32Array> => (await t.data()) as Float32Array;
  return { p: await values(p), m: await values(m), v: await values(v) };
}

/** A GPU device under backends of their own; while it holds a shader compiled, Dawn compiles it for none of them again. */
const spare = useTestDevice();
const openSpare = async (): Promise<w.Device> => new w.Device(await createWebGpuBackend(spare.backend.device));

/** Opens a device that `inject` has prepared, and after it backends on the spare one. */
function opener(inject: (device: GPUDevice) => Injected): { open: () => Promise<w.Device>; opened: w.Device[]; seen: () => number } {
  const opened: w.Device[] = [];
  let injected: Injected | undefined;
  return {
    opened,
    seen: () => injected!.calls,
    async open() {
      let device: w.Device;
      if (injected) device = await openSpare();
      else {
        const fresh = await openTestDevice();
        injected = inject(fresh.backend.device);
        device = fresh.device;
      }
      opened.push(device);
      return device;
    },
  };
}

const POINTS = Array.from({ length: 20 }, (_, i) => i);
const never = Infinity;

describe("a training loop", async () => {
  const undisturbed = opener((device) => loseDevice(device, never));
  const curve = await train(undisturbed.open);
  const calls = undisturbed.seen();
  const counted = opener((device) => failAllocation(device, never));
  await train(counted.open);
  const buffers = counted.seen();

  it("lowers its loss undisturbed", () => {
    expect(curve).toHaveLength(STEPS);
    expect(curve.at(-1)!).toBeLessThan(curve[0]! * 0.8);
    expect(calls).toBeGreaterThan(100);
    expect(buffers).toBeGreaterThan(20);
  });
  it.each(POINTS)("has the same losses if the device is lost at %i/20 of its calls", async (point) => {
    const { open, opened } = opener((device) => loseDevice(device, Math.floor((point / 20) * calls)));
    const told: unknown[] = [];
    expect(await train(open, () => void told.push(1))).toEqual(curve);
    expect(opened).toHaveLength(2);
    expect(told).toHaveLength(1);
  });
  it.each(POINTS)("ends with one clear error if the allocation at %i/20 of them fails", async (point) => {
    const injected = failAllocation(spare.backend.device, Math.floor((point / 20) * buffers));
    onTestFinished(injected.restore);
    const opened: w.Device[] = [];
    const open = async (): Promise<w.Device> => {
      opened.push(await openSpare());
      return opened.at(-1)!;
    };
    await expect(train(open)).rejects.toMatchObject({
      name: "DeviceError",
      kind: "out-of-memory",
      message: expect.stringMatching(/allocating \d+ bytes.*: the GPU is out of memory/),
      hint: expect.stringContaining("smaller"),
    });
    expect(opened).toHaveLength(1);
  });
  it("gives up when the device is lost again and again", async () => {
    const opened: w.Device[] = [];
    const open = async (): Promise<w.Device> => {
      const { device, backend } = await openTestDevice();
      loseDevice(backend.device, 40);
      opened.push(device);
      return device;
    };
    await expect(train(open)).rejects.toMatchObject({
      kind: "device-lost",
      message: expect.stringContaining("lost 3 times within 10 minutes"),
    });
    expect(opened).toHaveLength(3);
  });
});

describe("withRecovery", () => {
  it("passes other errors on at once", async () => {
    let calls = 0;
    const failing = async (): Promise<never> => {
      calls++;
      throw new w.ShapeError("wrong");
    };
    await expect(withRecovery(async () => w.referenceDevice(), failing)).rejects.toThrow("wrong");
    expect(calls).toBe(1);
  });
  it("forgets losses that lie long ago", async () => {
    let left = 5;
    const work = async (): Promise<string> => {
      await new Promise((resolve) => setTimeout(resolve, 4));
      if (left-- > 0) throw new w.DeviceError("gone", { kind: "device-lost" });
      return "done";
    };
    const open = async (): Promise<w.Device> => new w.Device(w.createReferenceBackend());
    expect(await withRecovery(open, work, { within: 2 })).toBe("done");
  });
});
