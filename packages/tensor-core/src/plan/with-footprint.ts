import type { Footprint } from "../backend.js";
import type { Plan } from "./plan.js";

/** The plan with the peak that it has on a backend: inputs, outputs, and what the backend needs to run it. */
export function withFootprint(plan: Plan, { arenaBytes, ownBytes }: Footprint): Plan {
  const bound = plan.buffers.reduce((sum, { role, bytes }) => sum + (role === "scratch" ? 0 : bytes), 0);
  return { ...plan, peakBytes: bound + arenaBytes + ownBytes };
}
