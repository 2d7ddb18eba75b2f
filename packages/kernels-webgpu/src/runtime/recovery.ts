import { type Device, DeviceError } from "@weft/tensor-core";

/** How often a lost device is opened again, and who is told. */
export interface RecoveryOptions {
  /** Losses within `within` after which it gives up; 3 if not given. */
  readonly losses?: number;
  /** Milliseconds; ten minutes if not given. */
  readonly within?: number;
  /** Told of each loss that is recovered from. */
  readonly onLoss?: (error: DeviceError) => void;
}

const isLoss = (error: unknown): error is DeviceError => error instanceof DeviceError && error.kind === "device-lost";

/**
 * Runs `work` on a device; when the device is lost, on a new one. Nothing survives in the memory of a lost device, so `work` must start from
 * copies on the host (for training: of the weights, and of parameters and optimizer states after the last step that was read back in
 * full) and return values of the host: the device is disposed of when it ends. Only losses are recovered from; every other error,
 * running out of memory among them, ends it.
 * @throws DeviceError kind `device-lost` when the device is lost too often
 */
export async function withRecovery<T>(
  open: () => Promise<Device>,
  work: (device: Device) => Promise<T>,
  { losses = 3, within = 600_000, onLoss }: RecoveryOptions = {},
): Promise<T> {
  let times: number[] = [];
  for (;;) {
    let device: Device | undefined;
    try {
      device = await open();
      return await work(device);
    } catch (error) {
      if (!isLoss(error)) throw error;
      const now = Date.now();
      times = [...times.filter((t) => now - t < within), now];
      if (times.length >= losses)
        throw new DeviceError(`the GPU device was lost ${times.length} times within ${within / 60_000} minutes: ${error.message}`, {
          kind: "device-lost",
          hint: "use a smaller batch, or the CPU backend",
          cause: error,
        });
      onLoss?.(error);
    } finally {
      device?.dispose();
    }
  }
}
