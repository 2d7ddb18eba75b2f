import { decode } from "../convert/storage.js";
import type { Device } from "../device.js";
import { isFloat } from "../dtype.js";
import { Tensor, topologicalOrder } from "../graph.js";
import { cast } from "../ops/cast.js";
import { add, mul } from "../ops/elementwise.js";
import { sum } from "../ops/reduce.js";
import { operandBytes } from "../plan/operand.js";
import { planGraph } from "../plan/plan-graph.js";
import { gradients } from "../transforms/grad.js";
import { type ConformanceCase, sample, type Tolerance } from "./case.js";

export function outputsOf(c: ConformanceCase, device: Device): readonly Tensor[] {
  const result = c.build(device);
  return result instanceof Tensor ? [result] : result;
}

/** The float constants of a graph: what its gradients are taken of. */
export function floatInputs(outputs: readonly Tensor[]): Tensor[] {
  return topologicalOrder(outputs)
    .filter((node) => node.op === "constant" && isFloat(node.outputs[0]!.dtype))
    .map((node) => new Tensor(node));
}

/** Weights of the elements of output `k` in the scalar that gradients are taken of: uneven, so that no element stands for another. */
export const weightsOf = (device: Device, output: Tensor, k: number): Tensor => sample(device, output.shape, "f32", 90 + k);

/** The gradients of Σ outputs · weights with respect to the float constants. */
export function gradientsOf(outputs: readonly Tensor[], device: Device, inputs: readonly Tensor[] = floatInputs(outputs)): Tensor[] {
  const terms = outputs.flatMap((y, k) => (isFloat(y.dtype) ? [sum(mul(cast(y, "f32"), weightsOf(device, y, k)))] : []));
  if (terms.length === 0) return [];
  return gradients(
    terms.reduce((a, b) => add(a, b)),
    inputs,
  );
}

/** The values of tensors, computed by one plan over memory that is not clean. */
export async function valuesOf(device: Device, outputs: readonly Tensor[]): Promise<Float64Array[]> {
  const { backend } = device;
  const { plan, leaves } = planGraph(outputs, [], (call) => backend.claims(call));
  const executable = await backend.lower(plan);
  const buffers = plan.outputs.map((o) => {
    const { bytes } = plan.buffers[o.buffer]!;
    const buffer = backend.allocate(bytes);
    backend.upload(buffer, new Uint8Array(bytes).fill(0x5a));
    return buffer;
  });
  try {
    await backend.run(
      executable,
      leaves.map((t) => device.bufferOf(t)),
      buffers,
    );
    const values = [];
    for (const [i, o] of plan.outputs.entries()) values.push(decode(await backend.download(buffers[i]!, 0, operandBytes(o)), o.dtype));
    return values;
  } finally {
    executable.dispose();
    for (const buffer of buffers) backend.free(buffer);
    for (const leaf of leaves) device.release(leaf);
  }
}

/** The first element that lies too far from what is expected, in words; NaN equals NaN. */
export function firstDifference(
  got: ArrayLike<number>,
  expected: ArrayLike<number>,
  { relative, absolute }: Omit<Tolerance, "reason">,
): string | undefined {
  if (got.length !== expected.length) return `${got.length} elements, expected ${expected.length}`;
  for (let i = 0; i < expected.length; i++) {
    const [a, b] = [got[i]!, expected[i]!];
    // What is expected to be infinite has no distance to measure.
    if (a === b || (a !== a && b !== b) || (Number.isFinite(b) && Math.abs(a - b) <= absolute + relative * Math.abs(b))) continue;
    return `element ${i} is ${a}, expected ${b}`;
  }
  return undefined;
}
