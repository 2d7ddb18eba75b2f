import { DeviceError, type WeftErrorKind, type WeftErrorOptions } from "@weft/tensor-core";

const LOST = "the device is gone with everything in its memory; make a new one and load the weights again";

/**
 * Errors that WebGPU reports later than the call that caused them: they are kept and thrown by the next call, and before any
 * result is handed out.
 */
export class Faults {
  private first: DeviceError | undefined;
  private readonly pending = new Set<Promise<void>>();
  private readonly device: GPUDevice;
  /** Set by our own `dispose`, so that the loss that follows is no fault. */
  private closed = false;

  constructor(device: GPUDevice) {
    this.device = device;
    void device.lost.then(({ reason, message }) => {
      if (!this.closed)
        this.report(new DeviceError(`the GPU device was lost (${reason}): ${message}`, { kind: "device-lost", hint: LOST }));
    });
  }

  /** Runs `action` in error scopes. `what` names it in the error. */
  guard<T>(what: () => string, action: () => T): T {
    this.device.pushErrorScope("out-of-memory");
    this.device.pushErrorScope("validation");
    try {
      return action();
    } finally {
      this.watch(what);
      this.watch(what);
    }
  }

  /** @throws DeviceError what has gone wrong so far. */
  check(): void {
    if (this.closed) throw new DeviceError("the WebGPU backend is used after dispose()");
    if (this.first) throw this.first;
  }

  /** Waits for the verdict on everything guarded so far, then checks. */
  async settle(): Promise<void> {
    await Promise.all(this.pending);
    this.check();
  }

  report(error: DeviceError): void {
    this.first ??= error;
  }

  close(): void {
    this.closed = true;
  }

  private watch(what: () => string): void {
    const verdict = this.device
      .popErrorScope()
      .then((error) => {
        if (!error) return;
        const memory = error.constructor.name === "GPUOutOfMemoryError";
        const options: WeftErrorOptions<WeftErrorKind<"device">> = memory
          ? { kind: "out-of-memory", hint: "use a smaller tile or batch, or dispose of tensors that are not needed" }
          : { kind: "gpu-validation" };
        this.report(new DeviceError(`${what()}: ${memory ? "the GPU is out of memory" : error.message}`, options));
      })
      .catch(() => undefined) // the device was lost: reported above
      .finally(() => this.pending.delete(verdict));
    this.pending.add(verdict);
  }
}
