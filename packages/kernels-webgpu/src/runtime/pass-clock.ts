import { CapabilityError } from "@weft/tensor-core";
import { MAP_READ, USAGE } from "./usage.js";

/** Two timestamps of 8 bytes. */
const BYTES = 16;

/** The GPU's own clock at the beginning and at the end of one compute pass. */
export class PassClock {
  private readonly queries: GPUQuerySet;
  private readonly resolved: GPUBuffer;
  private readonly read: GPUBuffer;

  /** @throws CapabilityError kind `no-timestamps` if the device has none */
  constructor(device: GPUDevice) {
    if (!device.features.has("timestamp-query")) {
      throw new CapabilityError("this GPU device has no timestamps", {
        kind: "no-timestamps",
        hint: "request the feature timestamp-query, or measure with a clock around finish()",
      });
    }
    this.queries = device.createQuerySet({ type: "timestamp", count: 2 });
    this.resolved = device.createBuffer({ size: BYTES, usage: USAGE.queryResolve | USAGE.copySource });
    this.read = device.createBuffer({ size: BYTES, usage: USAGE.mapRead | USAGE.copyTarget });
  }

  get writes(): GPUComputePassTimestampWrites {
    return { querySet: this.queries, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
  }

  /** To be encoded behind the pass. */
  resolve(encoder: GPUCommandEncoder): void {
    encoder.resolveQuerySet(this.queries, 0, 2, this.resolved, 0);
    encoder.copyBufferToBuffer(this.resolved, 0, this.read, 0, BYTES);
  }

  /** Seconds that the pass took; it must have been submitted. */
  async seconds(): Promise<number> {
    await this.read.mapAsync(MAP_READ);
    const [begin, end] = new BigUint64Array(this.read.getMappedRange());
    return Number(end! - begin!) * 1e-9;
  }

  dispose(): void {
    this.queries.destroy();
    this.resolved.destroy();
    this.read.destroy();
  }
}
