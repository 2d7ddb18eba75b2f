import { DeviceError, type Plan, ShapeError, stepName, type WeftError } from "@weft/tensor-core";
import { indexOf } from "../lower/indexing.js";

/** "… running Gather node. Name:'3.17' Status Message: …": a node of step 3 of the plan. */
const PLACE = /Name:'(\d+)\.\d+' Status Message: (.*)$/s;
const INDEX = /idx=(-?\d+) must be within the inclusive range \[-?\d+,(-?\d+)\]/;

/** What went wrong in a run of a plan, by its steps. */
export function runError(message: string, { steps }: Plan): WeftError {
  const [, at, reason] = PLACE.exec(message) ?? [];
  const memory = /alloc/i.test(message) ? ({ kind: "out-of-memory" } as const) : {};
  if (at === undefined) return new DeviceError(`onnxruntime failed: ${message}`, memory);
  const name = stepName(steps[Number(at)]!);
  const [, index, last] = INDEX.exec(message) ?? [];
  if (index !== undefined)
    return new ShapeError(`${name}: index ${indexOf(Number(index))} is outside an axis of ${Number(last) + 1} elements`);
  return new DeviceError(`onnxruntime failed in step ${at}, ${name}: ${reason}`, memory);
}
