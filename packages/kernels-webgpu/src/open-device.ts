import { CapabilityError, DeviceError } from "@weft/tensor-core";

/** Limits that larger tensors and kernels with many operands profit from; asked for as far as the adapter offers them. */
const WANTED = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
] as const;

/** Features that are used where the adapter has them: timestamps measure kernels, subgroups reduce rows, f16 makes tiles smaller. */
const WANTED_FEATURES: readonly GPUFeatureName[] = ["timestamp-query", "subgroups", "shader-f16"];

/** What a backend can be made from: the `navigator.gpu` of a browser (or Dawn's), an adapter, or a device that is shared with others. */
export type GpuSource = GPU | GPUAdapter | GPUDevice;

/** Which GPU is asked for, and with which limits. */
export interface OpenOptions {
  readonly powerPreference?: GPUPowerPreference;
  /** Ask for the limits of the specification instead of the adapter's, and for no features, to see what every device can run. */
  readonly defaultLimits?: boolean;
  /** False: refuse a GPU in software, which is slower than the CPU backends. True if not given. */
  readonly software?: boolean;
}

const HINT = "use the CPU backend, or a browser and driver with WebGPU";

async function requestAdapter(gpu: GPU, { powerPreference, software = true }: OpenOptions): Promise<GPUAdapter> {
  let cause: unknown;
  const adapter = await gpu.requestAdapter(powerPreference ? { powerPreference } : {}).catch((error: unknown) => {
    cause = error;
    return null;
  });
  if (!adapter)
    throw new DeviceError("no WebGPU adapter was found", { kind: "no-adapter", hint: HINT, ...(cause !== undefined && { cause }) });
  if (!software && adapter.info.isFallbackAdapter)
    throw new DeviceError("the only WebGPU adapter is a GPU in software", { kind: "no-adapter", hint: HINT });
  return adapter;
}

/**
 * A device with the limits and features that the adapter offers.
 * @param source undefined where a browser has no `navigator.gpu`
 * @throws CapabilityError kind `no-webgpu` without a source, `no-device` if the adapter gives none; DeviceError kind `no-adapter` if there is no GPU that can be used
 */
export async function openDevice(source: GpuSource | undefined, options: OpenOptions = {}): Promise<{ device: GPUDevice; owned: boolean }> {
  if (!source) throw new CapabilityError("there is no WebGPU here: navigator.gpu is undefined", { kind: "no-webgpu", hint: HINT });
  if ("createBuffer" in source) return { device: source, owned: false };
  const adapter = "requestAdapter" in source ? await requestAdapter(source, options) : source;
  const requiredLimits: Record<string, number> = {};
  if (!options.defaultLimits) for (const name of WANTED) requiredLimits[name] = adapter.limits[name];
  const requiredFeatures = options.defaultLimits ? [] : WANTED_FEATURES.filter((feature) => adapter.features.has(feature));
  try {
    return { device: await adapter.requestDevice({ label: "weft", requiredLimits, requiredFeatures }), owned: true };
  } catch (cause) {
    throw new CapabilityError(`the adapter gave no device: ${(cause as Error).message}`, { kind: "no-device", cause });
  }
}
