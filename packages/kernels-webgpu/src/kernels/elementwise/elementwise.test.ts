import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { expectSame, openTestDevice, sample as x } from "../../testing/gpu.js";

describe("storage", () => {
  it("leaves the bytes around a result alone", async () => {
    const { backend } = await openTestDevice();
    const plan = offsetPlan(3, 5, "u8", 16);
    const executable = await backend.lower(plan);
    const [input, output] = [backend.allocate(5), backend.allocate(16)];
    backend.upload(input, Uint8Array.of(1, 2, 3, 4, 5));
    backend.upload(output, new Uint8Array(16).fill(9));
    await backend.run(executable, [input], [output]);
    expect([...(await backend.download(output, 0, 16))]).toEqual([9, 9, 9, 1, 2, 3, 4, 5, 9, 9, 9, 9, 9, 9, 9, 9]);
    backend.dispose();
  });
});

describe("operands", () => {
  it("computes programs with more operands than one dispatch may bind", async () => {
    const small = await openTestDevice({ defaultLimits: true });
    expect(small.backend.limits.maxStorageBuffers).toBeLessThan(9);
    const at = (k: number): w.Tensor => x([37], "f32", k);
    const inputs = { p: at(1), g: at(2), m: at(3), v: w.square(at(4)), lr: w.tensor(0.1), step: w.tensor(3) };
    await expectSame(small.device, () => Object.values(w.adamwStep(inputs, { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01 })), {
      relative: 5e-5,
      absolute: 2e-6,
    });
    small.device.dispose();
  });
});

/** A plan that copies `n` elements to element `offset` of its output. */
function offsetPlan(offset: number, n: number, dtype: w.DType, bytes: number): w.Plan {
  const operand = (buffer: number, at: number): w.Operand => ({ buffer, dtype, shape: [n], strides: [1], offset: at });
  const program: w.Program = {
    shape: [n],
    reduced: 0,
    instructions: [{ op: "load", dtype, input: 0 }],
    outputs: [{ value: 0, perRow: false }],
  };
  return {
    buffers: [
      { role: "input", bytes: n },
      { role: "output", bytes },
    ],
    steps: [{ kind: "fused", program, inputs: [operand(0, 0)], outputs: [operand(1, offset)] }],
    inputs: [0],
    outputs: [{ ...operand(1, 0), shape: [bytes] }],
    scratchBytes: 0,
    peakBytes: n + bytes,
  };
}
