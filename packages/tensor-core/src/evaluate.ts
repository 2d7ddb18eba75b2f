import { decode, rawView } from "./convert/storage.js";
import { type Device, isReference, referenceDevice } from "./device.js";
import { DeviceError } from "./errors.js";
import { type Tensor, topologicalOrder } from "./graph.js";
import { graphInputs } from "./passes/rewrite.js";
import type { Place } from "./storage.js";

/** The one device that the leaves of a graph belong to; tensors of the reference device go with any other. @throws DeviceError if there are two. */
export function deviceOf(tensors: readonly Tensor[]): Device {
  let found: Place | undefined;
  for (const { device } of topologicalOrder(tensors, graphInputs)) {
    if (device && isReference(device)) continue;
    if (device && found && device !== found)
      throw new DeviceError(`tensors of two devices meet in one graph: ${found.name} and ${device.name}`, {
        kind: "other-device",
        hint: "move one of them with device.tensor(await t.data(), …)",
      });
    found ??= device;
  }
  // A `Place` of a graph is always a device: there is no other class of them.
  return (found as Device | undefined) ?? referenceDevice();
}

/** Computes tensors together, on the device that their leaves belong to. */
export async function evaluate(...tensors: Tensor[]): Promise<void> {
  await deviceOf(tensors).evaluate(tensors);
}

/** The values of a tensor as numbers: Float32Array for floats, Int32Array for integers and bool. Computes what is needed. */
export async function dataOf(t: Tensor): Promise<Float32Array | Int32Array> {
  const bytes = await deviceOf([t]).bytes(t);
  if (t.dtype === "f32") return (rawView(bytes, "f32") as Float32Array).slice();
  if (t.dtype === "i32") return (rawView(bytes, "i32") as Int32Array).slice();
  const values = decode(bytes, t.dtype);
  return t.dtype === "i8" || t.dtype === "u8" || t.dtype === "bool" ? Int32Array.from(values) : Float32Array.from(values);
}
