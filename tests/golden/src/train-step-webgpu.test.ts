import { KERNELS, type WebGpuBackend, type WebGpuOptions } from "@weft/kernels-webgpu";
import { createNodeWebGpuBackend } from "@weft/kernels-webgpu/node";
import { compile, type Compiled, Device, explainPlan, type Plan } from "@weft/tensor-core";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type LoraParams, startState, type TinyLora, tinyLora, trainStep } from "./tiny-lora.js";

interface Setting {
  readonly backend: WebGpuBackend;
  readonly device: Device;
  readonly tiny: TinyLora;
}

async function open(options: WebGpuOptions = {}): Promise<Setting> {
  // SwiftShader zeroes workgroup memory by one store per element and compiles that for seconds.
  const backend = await createNodeWebGpuBackend({ ...options, dawnFlags: ["enable-dawn-features=disable_workgroup_init"] });
  const device = new Device(backend);
  return { backend, device, tiny: await tinyLora(device) };
}

/** A run of some steps: the loss before each, the parameters after the last, and the plan that was replayed. */
async function train({ device, tiny }: Setting, steps: number): Promise<{ losses: number[]; params: LoraParams; compiled: Compiled }> {
  const step = compile(trainStep(device, tiny.loss), { device });
  let state = startState(tiny.params);
  const losses: number[] = [];
  for (let t = 1; t <= steps; t++) {
    const { value, p, m, v } = await step(state.p, state.m, state.v, device.tensor(t), tiny.ids);
    state = { p, m, v };
    losses.push(await value.item());
  }
  return { losses, params: state.p, compiled: await step.prepare(state.p, state.m, state.v, device.tensor(1), tiny.ids) };
}

/** What reaches the GPU while `work` runs. */
async function observe(
  { backend }: Setting,
  work: () => Promise<void>,
): Promise<{ submits: number; dispatches: number; boundBytes: number }> {
  const seen = { submits: 0, dispatches: 0, boundBytes: 0 };
  const { device } = backend;
  const [submit, encode, run] = [
    device.queue.submit.bind(device.queue),
    device.createCommandEncoder.bind(device),
    backend.run.bind(backend),
  ];
  const spies = [
    vi.spyOn(device.queue, "submit").mockImplementation((buffers) => {
      seen.submits++;
      return submit(buffers);
    }),
    vi.spyOn(device, "createCommandEncoder").mockImplementation((descriptor) => {
      const encoder = encode(descriptor);
      const begin = encoder.beginComputePass.bind(encoder);
      encoder.beginComputePass = (passDescriptor) => {
        const pass = begin(passDescriptor);
        const dispatch = pass.dispatchWorkgroups.bind(pass);
        pass.dispatchWorkgroups = (...groups) => {
          seen.dispatches++;
          return dispatch(...groups);
        };
        return pass;
      };
      return encoder;
    }),
    vi.spyOn(backend, "run").mockImplementation((executable, inputs, outputs) => {
      seen.boundBytes += [...inputs, ...outputs].reduce((sum, b) => sum + b.bytes, 0);
      return run(executable, inputs, outputs);
    }),
  ];
  await work();
  for (const spy of spies) spy.mockRestore();
  return seen;
}

let gpu: Setting;
let plain: Setting;

beforeAll(async () => {
  gpu = await open();
  plain = await open({ kernels: { ...KERNELS, composites: {} } });
});
afterAll(() => {
  gpu.device.dispose();
  plain.device.dispose();
});

const peakOf = (plan: Plan): number => Number(/peak (\d+) B/.exec(explainPlan(plan))![1]);

describe("a compiled training step on WebGPU", () => {
  it("is one submit, of the kernels and the memory that the plan says", async () => {
    const { device, backend, tiny } = gpu;
    const step = compile(trainStep(device, tiny.loss), { device });
    const state = startState(tiny.params);
    const args = [state.p, state.m, state.v, device.tensor(1), tiny.ids] as const;
    await step(...args);
    const { executable } = await step.prepare(...args);
    const seen = await observe(gpu, async () => {
      await step(...args);
      await backend.finish();
    });
    expect(seen.submits).toBe(1);
    expect(seen.dispatches).toBe(executable.kernels.length);
    expect(explainPlan(executable.plan)).toContain(`${executable.plan.steps.length} kernels`);
    const { arenaBytes, ownBytes } = await backend.footprint!(executable.plan);
    expect(seen.boundBytes + arenaBytes + ownBytes).toBe(peakOf(executable.plan));
    step.dispose();
  });

  it("takes fewer kernels and less memory with the composites' kernels, with the same result", async () => {
    const [fused, decomposed] = [await train(gpu, 3), await train(plain, 3)];
    fused.losses.forEach((loss, i) => expect(Math.abs(loss - decomposed.losses[i]!)).toBeLessThan(1e-4));
    for (const [path, factors] of Object.entries(fused.params)) {
      for (const [name, factor] of Object.entries(factors)) {
        const [got, wanted] = [await factor.data(), await decomposed.params[path]![name]!.data()];
        // AdamW's first steps are of size lr whatever the gradient's size, so that gradients near 0 show their last digits.
        wanted.forEach((v, i) => expect(Math.abs(got[i]! - v)).toBeLessThan(1e-4));
      }
    }
    const [ours, theirs] = [fused.compiled.executable, decomposed.compiled.executable];
    // 126 and 173 kernels where kernels may bind 12 buffers.
    expect(ours.kernels.length).toBeLessThan(0.8 * theirs.kernels.length);
    expect(ours.plan.scratchBytes).toBeLessThan(theirs.plan.scratchBytes);
  });
});
