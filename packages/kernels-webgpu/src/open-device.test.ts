import { DeviceError } from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { createWebGpuBackend } from "./backend.js";
import { createNodeWebGpuBackend, openGpu } from "./node/index.js";
import { openDevice } from "./open-device.js";

/** An adapter that offers these limits and features and notes what is asked for. */
function adapter(limits: Record<string, number>, features: string[]): { source: GPUAdapter; asked: GPUDeviceDescriptor[] } {
  const asked: GPUDeviceDescriptor[] = [];
  const requestDevice = async (descriptor: GPUDeviceDescriptor): Promise<object> => (asked.push(descriptor), {});
  return { source: { limits, features: new Set(features), requestDevice } as unknown as GPUAdapter, asked };
}
const LIMITS = {
  maxBufferSize: 2 ** 28,
  maxStorageBufferBindingSize: 2 ** 27,
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupStorageSize: 16384,
};

describe("openDevice", () => {
  it("asks for the limits and features that the adapter offers, and for no others", async () => {
    const poor = adapter(LIMITS, []);
    await openDevice(poor.source);
    expect(poor.asked).toEqual([{ label: "weft", requiredLimits: LIMITS, requiredFeatures: [] }]);
    const rich = adapter({ ...LIMITS, maxBufferSize: 2 ** 33, maxTextureDimension1D: 2 ** 14 }, [
      "timestamp-query",
      "shader-f16",
      "depth-clip-control",
    ]);
    await openDevice(rich.source);
    expect(rich.asked[0]).toMatchObject({
      requiredLimits: { maxBufferSize: 2 ** 33 },
      requiredFeatures: ["timestamp-query", "shader-f16"],
    });
    expect(rich.asked[0]!.requiredLimits).not.toHaveProperty("maxTextureDimension1D");
  });
  it("stays within the specification's limits on request", async () => {
    const { source, asked } = adapter({ ...LIMITS, maxBufferSize: 2 ** 33 }, []);
    await openDevice(source, { defaultLimits: true });
    expect(asked[0]!.requiredLimits).toEqual({});
  });
  it("says that there is no WebGPU, so that a program can take another backend", async () => {
    await expect(openDevice(undefined)).rejects.toMatchObject({ name: "CapabilityError", kind: "no-webgpu" });
    const rejecting = { requestAdapter: () => Promise.reject(new Error("blocklisted")) } as unknown as GPU;
    await expect(openDevice(rejecting)).rejects.toMatchObject({
      name: "DeviceError",
      kind: "no-adapter",
      cause: { message: "blocklisted" },
    });
  });
  it("says that there is no GPU", async () => {
    const none = { requestAdapter: async () => null } as unknown as GPU;
    await expect(openDevice(none)).rejects.toMatchObject({ name: "DeviceError", kind: "no-adapter" });
  });
  it("refuses a GPU in software on request", async () => {
    const gpu = await openGpu();
    const { isFallbackAdapter } = (await gpu.requestAdapter())!.info;
    const opened = openDevice(gpu, { software: false });
    if (isFallbackAdapter) await expect(opened).rejects.toMatchObject({ name: "DeviceError", kind: "no-adapter", message: /in software/ });
    else (await opened).device.destroy();
    const rich = adapter(LIMITS, []);
    const only = (fallback: boolean): GPU =>
      ({ requestAdapter: async () => ({ ...rich.source, info: { isFallbackAdapter: fallback } }) }) as unknown as GPU;
    await expect(openDevice(only(true), { software: false })).rejects.toMatchObject({ kind: "no-adapter" });
    expect((await openDevice(only(true))).owned).toBe(true);
    expect((await openDevice(only(false), { software: false })).owned).toBe(true);
  });
});

describe("a device that arrives lost", () => {
  it("is refused as lost, not as broken shaders", async () => {
    const gpu = await openGpu();
    const real = (await gpu.requestAdapter())!;
    const requestDevice = async (): Promise<GPUDevice> => {
      const device = await real.requestDevice();
      device.destroy();
      return device;
    };
    const source = { limits: real.limits, features: real.features, requestDevice } as unknown as GPUAdapter;
    const attempt = (async () => {
      const backend = await createWebGpuBackend(source);
      await backend.download(backend.allocate(16), 0, 16);
    })();
    await expect(attempt).rejects.toThrow(DeviceError);
    await expect(attempt).rejects.toMatchObject({ kind: "device-lost" });
  });
});

describe("a device on request without timestamps", () => {
  it("cannot time, and says what to do", async () => {
    const gpu = await openGpu();
    const device = await (await gpu.requestAdapter())!.requestDevice();
    const backend = await createWebGpuBackend(device);
    const executable = await backend.lower({ buffers: [], steps: [], inputs: [], outputs: [], scratchBytes: 0, peakBytes: 0 });
    await expect(backend.time(executable, [], [], 1)).rejects.toMatchObject({ name: "CapabilityError", kind: "no-timestamps" });
    backend.dispose();
    device.destroy();
  });
  it("gives the time of a run where it has them", async () => {
    const backend = await createNodeWebGpuBackend();
    if (!backend.device.features.has("timestamp-query")) return;
    const executable = await backend.lower({ buffers: [], steps: [], inputs: [], outputs: [], scratchBytes: 0, peakBytes: 0 });
    expect(await backend.time(executable, [], [], 1)).toBeGreaterThanOrEqual(0);
    backend.dispose();
  });
});
