import type { Footprint } from "../backend.js";
import type { BufferSpec, Plan } from "./plan.js";

/** Bytes that the caller of a plan binds: what lies over an input counts once. */
export function boundBytes(buffers: readonly BufferSpec[]): number {
  return buffers.reduce((sum, b) => sum + (b.role === "scratch" || (b.role === "output" && b.over !== undefined) ? 0 : b.bytes), 0);
}

/** The plan with the peak that it has on a backend: inputs, outputs, and what the backend needs to run it. */
export function withFootprint(plan: Plan, { arenaBytes, ownBytes }: Footprint): Plan {
  return { ...plan, peakBytes: boundBytes(plan.buffers) + arenaBytes + ownBytes };
}
