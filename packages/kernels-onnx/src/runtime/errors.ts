import { DeviceError, type Plan, stepName } from "@weft/tensor-core";

/** "… running Gather node. Name:'3.17' Status Message: …": a node of step 3 of the plan. */
const PLACE = /Name:'(\d+)\.\d+' Status Message: (.*)$/s;

/** What went wrong in a run of a plan, by its steps. */
export function runError(message: string, { steps }: Plan): DeviceError {
  const [, at, reason] = PLACE.exec(message) ?? [];
  const memory = /alloc/i.test(message) ? ({ kind: "out-of-memory" } as const) : {};
  if (at === undefined) return new DeviceError(`onnxruntime failed: ${message}`, memory);
  const name = stepName(steps[Number(at)]!);
  return new DeviceError(`onnxruntime failed in step ${at}, ${name}: ${reason}`, memory);
}
