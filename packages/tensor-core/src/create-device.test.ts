import { describe, expect, it, vi } from "vitest";
import { createDevice, type OpenBackend } from "./create-device.js";
import { CapabilityError, DeviceError } from "./errors.js";
import { gather } from "./ops/index.js";
import { createReferenceBackend } from "./reference/backend.js";

const named = (name: string): OpenBackend => vi.fn(() => ({ ...createReferenceBackend(), name }));
const absent: OpenBackend = () => Promise.reject(new DeviceError("no WebGPU adapter was found", { kind: "no-adapter" }));

const unsupported: OpenBackend = () => {
  throw new CapabilityError('the package "webgpu" cannot be loaded', { kind: "no-webgpu" });
};
const missing: OpenBackend = () => {
  throw new CapabilityError("the package onnxruntime-node is not installed", { hint: "npm install onnxruntime-node" });
};
const broken: OpenBackend = () => {
  throw new TypeError("a defect");
};

describe("createDevice", () => {
  it("opens the named backend and no other", async () => {
    const [webgpu, cpu] = [named("webgpu"), named("cpu")];
    expect((await createDevice("cpu", { webgpu, cpu })).name).toBe("cpu");
    expect(webgpu).not.toHaveBeenCalled();
  });
  it("auto takes the first that is there", async () => {
    const cpu = named("cpu");
    expect((await createDevice("auto", { webgpu: named("webgpu"), cpu })).name).toBe("webgpu");
    expect(cpu).not.toHaveBeenCalled();
    expect((await createDevice("auto", { webgpu: absent, cpu })).name).toBe("cpu");
    expect((await createDevice("auto", { webgpu: unsupported, cpu })).name).toBe("cpu");
  });
  it("auto tells what it passes over, and what would help", async () => {
    const lines: string[] = [];
    const device = await createDevice(
      "auto",
      { webgpu: absent, onnx: missing, cpu: named("cpu") },
      { skipped: (line) => lines.push(line) },
    );
    expect(device.name).toBe("cpu");
    expect(lines).toEqual([
      "webgpu: no WebGPU adapter was found",
      "onnx: the package onnxruntime-node is not installed (npm install onnxruntime-node)",
    ]);
  });
  it("passes on how the device is to run", async () => {
    const device = await createDevice("auto", { cpu: named("cpu") }, { checkIndices: true });
    const picked = gather(device.tensor([1, 2]), device.tensor(Int32Array.of(2)));
    await expect(picked.data()).rejects.toMatchObject({ code: "shape", kind: "index", operation: "gather", index: 2, range: [0, 1] });
  });
  it("does not fall back from a device that was asked for", async () => {
    await expect(createDevice("webgpu", { webgpu: absent, cpu: named("cpu") })).rejects.toMatchObject({
      code: "device",
      kind: "no-device",
      message: "no device could be opened; webgpu: no WebGPU adapter was found",
      hint: 'use cpu, or "auto"',
      cause: { kind: "no-adapter" },
    });
  });
  it("says what would bring the one that was asked for", async () => {
    await expect(createDevice("onnx", { onnx: missing, cpu: named("cpu") })).rejects.toMatchObject({
      hint: 'npm install onnxruntime-node; or use cpu, or "auto"',
    });
    await expect(createDevice("onnx", { onnx: missing })).rejects.toMatchObject({ hint: "npm install onnxruntime-node" });
  });
  it("says which names there are", async () => {
    await expect(createDevice("gpu", { webgpu: absent, cpu: named("cpu") })).rejects.toMatchObject({
      kind: "no-device",
      hint: "use one of auto, webgpu, cpu",
    });
  });
  it("does not hide what is no absence", async () => {
    await expect(createDevice("auto", { webgpu: broken, cpu: named("cpu") })).rejects.toThrow(TypeError);
  });
});
