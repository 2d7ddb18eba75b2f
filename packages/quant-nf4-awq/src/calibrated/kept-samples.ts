import { type Device, type DType, fromBytes, type Tensor } from "@weft/tensor-core";
import type { SampleStore } from "./sample-store.js";

/** Makes a store for one tensor of each sample. */
export type OpenStore = () => SampleStore;

/** One tensor of each sample: on the device, or in a store. */
export class KeptSamples {
  private readonly store: SampleStore | undefined;
  private readonly onDevice = new Map<number, Tensor>();
  private readonly kinds = new Map<number, { readonly shape: readonly number[]; readonly dtype: DType }>();

  constructor(
    open: OpenStore | undefined,
    private readonly device: Device,
  ) {
    this.store = open?.();
  }

  /** Takes over a tensor that is computed, in place of the one before. */
  async put(sample: number, t: Tensor): Promise<void> {
    if (!this.store) {
      this.onDevice.get(sample)?.dispose();
      this.onDevice.set(sample, t);
      return;
    }
    this.kinds.set(sample, { shape: t.shape, dtype: t.dtype });
    await this.store.put(sample, await this.device.bytes(t));
    t.dispose();
  }

  /** Calls `use` with the tensor of a sample, which it must not keep. */
  async use<T>(sample: number, use: (t: Tensor) => Promise<T>): Promise<T> {
    if (!this.store) return use(this.onDevice.get(sample)!);
    const { shape, dtype } = this.kinds.get(sample)!;
    const t = fromBytes(await this.store.get(sample), shape, dtype, this.device);
    try {
      return await use(t);
    } finally {
      t.dispose();
    }
  }

  async close(): Promise<void> {
    for (const t of this.onDevice.values()) t.dispose();
    this.onDevice.clear();
    await this.store?.close();
  }
}
