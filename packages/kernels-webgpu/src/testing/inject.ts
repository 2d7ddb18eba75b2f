/** Calls through which a backend uses a device; each can be the moment when something breaks. */
const CALLS = ["createBuffer", "createBindGroup", "createCommandEncoder", "createComputePipelineAsync", "popErrorScope"] as const;
const QUEUE_CALLS = ["writeBuffer", "submit"] as const;

class GPUOutOfMemoryError {
  readonly message = "injected";
}

export interface Injected {
  /** Calls seen so far that a fault could have struck. */
  readonly calls: number;
}

type Callable = (...args: unknown[]) => unknown;
type Replaceable = Record<string, Callable>;

/** Passes every call of `names` on to `target`, and tells `before` of it. */
function watch(target: object, names: readonly string[], before: (name: string) => void): void {
  const methods = target as Replaceable;
  for (const name of names) {
    const real = methods[name]!.bind(target);
    methods[name] = (...args) => {
      before(name);
      return real(...args);
    };
  }
}

/** The device is lost just before its call number `at`. */
export function loseDevice(device: GPUDevice, at: number): Injected {
  const seen = { calls: 0 };
  const strike = (): void => {
    if (seen.calls++ === at) device.destroy();
  };
  watch(device, CALLS, strike);
  watch(device.queue, QUEUE_CALLS, strike);
  return seen;
}

/**
 * Buffer number `at` cannot be allocated: the call gives an invalid buffer, as WebGPU does, and the error scope around it an
 * out-of-memory error.
 */
export function failAllocation(device: GPUDevice, at: number): Injected & { restore(): void } {
  const seen = {
    calls: 0,
    /** The device's own methods are again those of its class. */
    restore() {
      for (const name of ["createBuffer", "popErrorScope"]) Reflect.deleteProperty(device, name);
    },
  };
  const real = device.createBuffer.bind(device);
  const pop = device.popErrorScope.bind(device);
  device.createBuffer = (descriptor) =>
    real(seen.calls++ === at ? { ...descriptor, size: 4 * device.limits.maxBufferSize, label: "injected" } : descriptor);
  device.popErrorScope = async () => {
    const error = await pop();
    return error?.message.includes("injected") ? (new GPUOutOfMemoryError() as unknown as GPUError) : error;
  };
  return seen;
}
