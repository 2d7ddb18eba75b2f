import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { expectSame, openTestDevice, sample, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();

const x = sample;

describe("elementwise programs", () => {
  it("computes every unary function to 2e-6", async () => {
    const v = x([65]);
    const positive = w.add(w.abs(v), 1e-3);
    const any = [w.neg, w.abs, w.sign, w.exp, w.sin, w.cos, w.tanh, w.erf, w.floor, w.ceil, w.round];
    await expectSame(
      gpu.device,
      () => [...any.map((f) => f(w.mul(v, 3))), ...[w.log, w.sqrt, w.rsqrt, w.reciprocal].map((f) => f(positive))],
      { relative: 2e-6, absolute: 1e-7 },
    );
  });
  it("keeps sin and cos accurate far from zero", async () => {
    const far = w.tensor(Float32Array.from({ length: 64 }, (_, i) => (i - 32) * 317.7));
    await expectSame(gpu.device, () => [w.sin(far), w.cos(far)], { relative: 0, absolute: 2e-6 });
  });
  it("handles infinities, NaN and the ends of the range", async () => {
    const edge = w.tensor(Float32Array.of(Infinity, -Infinity, NaN, 0, -0, 1, -1, 88.5, -87, 100, -200, 1e-30, 3e38));
    await expectSame(
      gpu.device,
      () => [
        w.exp(edge),
        w.log(edge),
        w.tanh(edge),
        w.erf(edge),
        w.abs(edge),
        w.maximum(edge, w.flip(edge, [0])),
        w.minimum(edge, 0),
        w.pow(edge, 2),
        w.sqrt(w.abs(edge)),
      ],
      { relative: 2e-6, absolute: 1e-37 },
    );
  });
  it("computes every binary function", async () => {
    const [a, b] = [x([5, 13]), x([5, 13], "f32", 2)];
    await expectSame(
      gpu.device,
      () => [
        w.add(a, b),
        w.sub(a, b),
        w.mul(a, b),
        w.div(a, w.add(b, 7)),
        w.mod(a, w.add(w.abs(b), 0.5)),
        w.maximum(a, b),
        w.minimum(a, b),
        w.pow(w.abs(a), b),
      ],
      { relative: 4e-6, absolute: 1e-6 },
    );
    await expectSame(gpu.device, () => [
      w.equal(a, b),
      w.notEqual(a, b),
      w.less(a, b),
      w.lessEqual(a, 0),
      w.logicalAnd(w.less(a, 0), w.less(b, 0)),
      w.logicalOr(w.less(a, 0), w.less(b, 0)),
      w.logicalNot(w.less(a, 0)),
    ]);
  });
  it("raises to powers with the signs and limits of Math.pow", async () => {
    const base = w.tensor(Float32Array.of(-2, -2, -2, 0, 0, 0, 1, 0.999, 0.9, -1, 2));
    const power = w.tensor(Float32Array.of(3, 2, 0.5, 0, 2, -1, 1e9, 1, 1000, 7, -3));
    await expectSame(gpu.device, () => w.pow(base, power), { relative: 3e-6 });
  });
  it("wraps and truncates integers as the reference", async () => {
    const [a, b] = [x([33], "i32"), x([33], "i32", 2)];
    const large = w.mul(a, 123456789);
    await expectSame(gpu.device, () => [
      w.add(large, large),
      w.mul(large, b),
      w.div(a, b),
      w.mod(a, b),
      w.maximum(a, b),
      w.neg(a),
      w.abs(a),
      w.sign(a),
      w.pow(b, 3),
    ]);
    await expectSame(gpu.device, () => [
      w.cast(a, "i8"),
      w.cast(large, "u8"),
      w.cast(a, "bool"),
      w.cast(a, "f32"),
      w.cast(x([33]), "i32"),
      w.add(x([7], "i8"), x([7], "i8", 3)),
      w.mul(x([7], "u8"), x([7], "u8", 3)),
    ]);
  });
});

describe("storage", () => {
  it.each(["f16", "bf16", "f8e4m3", "f8e5m2"] as const)("reads every bit pattern of %s and rounds to it exactly", async (dtype) => {
    const wide = w.bytesPerElement(dtype) === 2;
    const bits = wide
      ? new Uint8Array(Uint16Array.from({ length: 65536 }, (_, i) => i).buffer)
      : Uint8Array.from({ length: 256 }, (_, i) => i);
    const all = w.fromBytes(bits, [wide ? 65536 : 256], dtype);
    // SwiftShader flushes bf16 subnormals with those of f32 once they are computed with.
    await expectSame(gpu.device, () => w.cast(all, "f32"), { relative: 0, absolute: 1.2e-38 });
    const between = w.mul(w.cast(all, "f32"), 1.0009765);
    await expectSame(gpu.device, () => [w.cast(between, dtype), w.cast(w.mul(between, 0.93), dtype)], {
      relative: 0,
      absolute: dtype === "bf16" ? 1.2e-38 : 0,
    });
  });
  it("rounds ties to even", async () => {
    const ties = w.tensor(
      Float32Array.of(
        1 + 2 ** -11,
        1 + 3 * 2 ** -11,
        1 + 2 ** -8,
        1 + 3 * 2 ** -8,
        65519,
        65520,
        2 ** -25,
        3 * 2 ** -25,
        464,
        464.1,
        61440,
        61439,
      ),
    );
    await expectSame(gpu.device, () => (["f16", "bf16", "f8e4m3", "f8e5m2"] as const).map((d) => w.cast(ties, d)), {
      relative: 0,
      absolute: 0,
    });
  });
  it.each([1, 2, 3, 5, 63, 64, 65, 257])("writes whole words and odd tails, length %i", async (n) => {
    const v = x([n]);
    await expectSame(gpu.device, () => [w.cast(v, "bf16"), w.cast(v, "f16"), w.less(v, 0), w.cast(v, "i8"), w.mul(v, 2)]);
  });
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

describe("views", () => {
  it("reads broadcasts, transposes, slices, flips and indices", async () => {
    const v = x([4, 5, 6]);
    await expectSame(
      gpu.device,
      () => [
        w.add(w.transpose(v, [2, 0, 1]), x([6, 4, 5], "f32", 2)),
        w.add(
          w.slice(
            v,
            [
              [1, 3],
              [0, 5],
              [2, 6],
            ],
            [1, 2, 3],
          ),
          1,
        ),
        w.mul(w.flip(v, [0, 2]), v),
        w.add(v, x([5, 1], "f32", 4)),
        w.add(w.iota([4, 5, 6], 1), w.iota([4, 5, 6], 2)),
        w.cast(w.transpose(x([7, 9], "bf16"), [1, 0]), "f32"),
        w.where(w.less(v, 0), w.exp(v), x([6])),
        w.add(w.tensor(2), 3),
      ],
      { relative: 2e-6 },
    );
  });
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
