import type { Backend, BackendStatistics, Device } from "@weft/tensor-core";
import type { DeviceState } from "../protocol/values.js";

/** What a device holds; 0 of one that does not tell. */
export function usedBytes({ backend }: Device): number {
  return (backend as Backend & { statistics?(): BackendStatistics }).statistics?.().usedBytes ?? 0;
}

/** A device as it is told of. */
export function deviceState(device: Device, isolated: boolean): DeviceState {
  const { backend } = device;
  return { backend: backend.name, threads: backend.capabilities.threads ?? 0, isolated, bytes: usedBytes(device) };
}
